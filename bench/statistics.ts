/**
 * What is made of repeated runs.
 */

/** Middle and ends of a series. */
export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** @throws {RangeError} for an empty series, which has no middle */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [lowest, highest] = [sorted[0], sorted.at(-1)];
  if (lowest === undefined || highest === undefined) throw new RangeError("no runs to take the median of");
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? lowest) + (sorted[Math.ceil(middle)] ?? highest)) / 2;
  return { median, lowest, highest };
}

/**
 * Each run divided by the other side's run of the same round: what slows the machine for a while slows both, and the
 * ratio stays. A run that failed on either side (0) makes no pair.
 */
export function pairRatios(values: readonly number[], reference: readonly number[]): number[] {
  return values.map((value, i) => value / (reference[i] ?? 0)).filter((ratio) =>
    Number.isFinite(ratio) && ratio > 0
  );
}
