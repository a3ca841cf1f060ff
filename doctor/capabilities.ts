/**
 * Capabilities of the process, from /proc/self/status.
 *
 * @module
 */
import type { Host } from "./host.ts";

/** Bits of linux/capability.h. */
export const CAPABILITY = { netBindService: 10, netAdmin: 12, netRaw: 13 } as const;

/** Whether a capability is in force; true where there is no such thing and the user is asked in other ways. */
export function hasCapability(host: Host, bit: number): boolean {
  const [, hex] = /^CapEff:\s*([0-9a-f]+)/m.exec(host.read("/proc/self/status") ?? "") ?? [];
  return hex === undefined || (BigInt(`0x${hex}`) >> BigInt(bit) & 1n) === 1n;
}

/** Command that gives capabilities to the program that runs lvsd. */
export function grantCommand(...names: readonly string[]): string {
  return `setcap ${names.join(",")}+ep "$(readlink -f "$(command -v deno)")"`;
}
