/**
 * The order of runs: A B C D, A B C D, ... so that a slow moment of the machine falls on neighbours, not on one side.
 */
import type { Figure } from "./figures.ts";
import type { Side } from "./sides.ts";

/** Runs of one side for one figure, one value a round. */
export interface Series {
  readonly values: number[];
  /** Over all rounds. */
  errors: number;
}

/** All runs of one figure, by name of side. */
export type FigureRuns = ReadonlyMap<string, Series>;

/**
 * Runs every side once to warm up, which is thrown away, then `rounds` times in turn.
 *
 * @param progress is told before each run; round 0 is the warming up
 */
export async function runRounds(
  figure: Figure,
  sides: readonly Side[],
  rounds: number,
  progress: (round: number, side: string) => void,
  signal: AbortSignal,
): Promise<FigureRuns> {
  const runs = new Map<string, Series>(sides.map(({ name }) => [name, { values: [], errors: 0 }]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, port } of sides) {
      progress(round, name);
      const { value, errors } = await figure.measure(port, signal);
      const series = runs.get(name);
      if (round === 0 || series === undefined) continue;
      series.values.push(value);
      series.errors += errors;
    }
  }
  return runs;
}
