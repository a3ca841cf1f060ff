/**
 * A series of readings of rates, held against the kernel's formula by way of the director's estimator.
 *
 * @module
 */
import type { RateReading } from "./tool_recording.ts";

/** The estimator's period, seconds, and how far a reading may be late, seconds. */
const PERIOD_S = 2;
const LATE_S = 0.3;
const COUNTERS = 5;
/** Fraction bits of connections and packets, and of bytes; two seconds are one bit. */
const BITS = [10, 10, 10, 5, 5] as const;

/**
 * Compares the last reading with what the formula makes of all before it: `average += (increase * 2^(bits-1) - average)
 * / 4` every two seconds, rounded down, and shown rounded up.
 */
export function compareRates(readings: readonly RateReading[]): string | undefined {
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const begin = readings.find((it) => it.stats_line !== first.stats_line);
  const averages = new Array<number>(COUNTERS).fill(0);
  let before = numbersOf(first.stats_line);
  if (begin !== undefined) {
    for (let at = begin.t; at <= last.t + LATE_S; at += PERIOD_S) {
      const reading = readings.findLast((it) => it.t <= at + LATE_S) ?? first;
      const now = numbersOf(reading.stats_line);
      now.forEach((count, i) => {
        const increase = (count - (before[i] ?? 0)) * 2 ** ((BITS[i] ?? 0) - 1);
        averages[i] = (averages[i] ?? 0) + Math.floor((increase - (averages[i] ?? 0)) / 4);
      });
      before = now;
    }
  }
  const shown = averages.map((it, i) => (it + 2 ** ((BITS[i] ?? 0) - 1) - 1) / 2 ** (BITS[i] ?? 0)).map(
    Math.floor,
  );
  const recorded = numbersOf(last.rate_line);
  const isEqual = shown.every((rate, i) => rate === recorded[i]);
  return isEqual ? undefined : `after ${last.t} s the rates are ${shown}, recorded ${recorded}`;
}

function numbersOf(line: string): number[] {
  return line.trim().split(/ +/).slice(-COUNTERS).map(Number);
}
