/**
 * Who sent a frame.
 *
 * @module
 */
import { isMac, parseMac } from "../../packet/ethernet.ts";

/** Whether a frame's source is this MAC. */
export function isSentBy(bytes: Uint8Array, mac: string | undefined): boolean {
  const own = parseMac(mac ?? "");
  return own !== undefined && isMac(bytes, 6, own);
}
