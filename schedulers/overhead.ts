/**
 * How loaded a destination is, and how two loads compare when weights count.
 *
 * @module
 */
import type { DestinationList } from "./scheduler.ts";

/**
 * `256 * active + inactive` of kernel 6.1, in its type: a signed 32-bit integer that wraps at 2^23 active connections.
 */
export function overhead(list: DestinationList, destination: number): number {
  return ((list.activeConns(destination) << 8) + list.inactiveConns(destination)) | 0;
}

/**
 * Whether `a * b > c * d`, exactly, for signed 32-bit factors: the kernel's 64-bit comparison of overhead times weight.
 *
 * Rounding to a double never reverses an order, so products that differ as doubles are already in the right order. Products that
 * are equal as doubles are at most 2^62 and so less than 2^10 apart: the low 32 bits tell.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const big = 2 ** 31 - 1;
 * assert.equal(big * (big - 1) > (big - 1) * big, false);
 * assert.equal(productExceeds(big, big, big - 1, big), true);
 * // (2^30 + 1)^2 - 2^30 * (2^30 + 2) is 1, lost in a double
 * assert.equal(productExceeds(2 ** 30 + 1, 2 ** 30 + 1, 2 ** 30, 2 ** 30 + 2), true);
 * ```
 */
export function productExceeds(a: number, b: number, c: number, d: number): boolean {
  const left = a * b;
  const right = c * d;
  if (left !== right) return left > right;
  return ((Math.imul(a, b) - Math.imul(c, d)) | 0) > 0;
}
