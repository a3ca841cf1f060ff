/**
 * A destination in one word.
 *
 * @module
 */
import { ValueError } from "../errors.ts";
import { parseServer, type ServerAddress } from "./address_text.ts";
import { shown } from "./shown.ts";

/** Weights and thresholds are signed 32-bit numbers in the kernel. */
export const INT32_MAX = 2_147_483_647;

/** What one word says of a destination; thresholds are off. */
export interface ShortDestination {
  readonly address: ServerAddress;
  readonly weight: number;
  readonly upperThreshold: 0;
  readonly lowerThreshold: 0;
}

/** @throws {ValueError} what {@linkcode parseServer} throws, `WEIGHT_INVALID` */
export function parseDestination(text: string): ShortDestination {
  const at = text.lastIndexOf("@");
  const address = at < 0 ? text : text.slice(0, at);
  const weight = at < 0 ? "1" : text.slice(at + 1);
  if (!/^\d+$/.test(weight) || Number(weight) > INT32_MAX) {
    throw new ValueError(
      "WEIGHT_INVALID",
      `${shown(text)} has the weight ${shown(weight)}; allowed: whole numbers from 0 to ${INT32_MAX}`,
    );
  }
  return { address: parseServer(address), weight: Number(weight), upperThreshold: 0, lowerThreshold: 0 };
}
