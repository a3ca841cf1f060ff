/**
 * Upper and lower thresholds of a destination. The connections of a destination, ended ones included, switch its
 * overload flag with hysteresis: on at the upper one, off below the lower one. Templates do not count.
 *
 * @module
 */
import { DESTINATION } from "./layout.ts";

/** Connections of the destination whose row begins at `base`. */
export function totalConns(words: Int32Array, base: number): number {
  return (words[base + DESTINATION.activeConns] ?? 0) + (words[base + DESTINATION.inactiveConns] ?? 0);
}

/** A connection or template was bound: at or above the upper threshold no new ones come. */
export function thresholdsAfterBind(words: Int32Array, base: number): void {
  const upper = words[base + DESTINATION.upperThreshold] ?? 0;
  if (upper !== 0 && totalConns(words, base) >= upper) words[base + DESTINATION.overloaded] = 1;
}

/** A connection or template has gone. */
export function thresholdsAfterUnbind(words: Int32Array, base: number): void {
  if (words[base + DESTINATION.overloaded] === 0) return;
  if (totalConns(words, base) < lowerMark(words, base)) words[base + DESTINATION.overloaded] = 0;
}

/**
 * The thresholds were set: the flag is judged anew, and stays as it is between the two marks. (Kernel 6.1.192 does
 * so; 6.1 before it only ever cleared the flag here.)
 */
export function thresholdsAfterEdit(words: Int32Array, base: number): void {
  const upper = words[base + DESTINATION.upperThreshold] ?? 0;
  const total = totalConns(words, base);
  if (upper !== 0 && total >= upper) words[base + DESTINATION.overloaded] = 1;
  else if (total < lowerMark(words, base)) words[base + DESTINATION.overloaded] = 0;
}

/** The flag goes off below this; without a lower threshold at three quarters of the upper one. */
function lowerMark(words: Int32Array, base: number): number {
  const upper = words[base + DESTINATION.upperThreshold] ?? 0;
  if (upper === 0) return Infinity;
  const lower = words[base + DESTINATION.lowerThreshold] ?? 0;
  return lower !== 0 ? lower : upper * 3 / 4;
}
