/**
 * How loaded a destination is, and how two loads compare when weights count.
 *
 * @module
 */
import type { DestinationList } from "./scheduler.ts";

/**
 * What a destination's connections cost: numbers and no function, which would not be inlined once two schedulers are in use (7 and
 * 19 µs for 1,000 destinations).
 */
export interface Cost {
  readonly active: number;
  readonly inactive: number;
  /** The connection that is asked for. */
  readonly next: number;
}

/** Overhead of kernel 6.1: `256 * active + inactive`. */
export const OVERHEAD: Cost = { active: 256, inactive: 1, next: 0 };
/** Expected delay: the active connections and the next one; inactive ones cost no time. */
export const DELAY: Cost = { active: 1, inactive: 0, next: 1 };

/** What a destination's connections cost, in the kernel's type: a signed 32-bit integer, which overhead wraps at 2^23 active ones. */
export function loadOf(list: DestinationList, destination: number, { active, inactive, next }: Cost): number {
  const busy = Math.imul(list.activeConns(destination), active);
  return (busy + Math.imul(list.inactiveConns(destination), inactive) + next) | 0;
}

/** The load of {@linkcode OVERHEAD}. */
export function overhead(list: DestinationList, destination: number): number {
  return loadOf(list, destination, OVERHEAD);
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
