/**
 * Weights are often multiples of something; schedulers that deal in turns divide it out.
 *
 * @module
 */

/** Greatest common divisor of two whole numbers from 0 up; with 0 it is the other one. */
export function greatestCommonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
