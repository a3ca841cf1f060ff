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
  /** Processor time of the side for each unit: microseconds for a request, milliseconds for a gigabyte. */
  processor?: number[];
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
    for (const { name, port, pid } of sides) {
      progress(round, name);
      const before = processorMs(pid);
      const { value, errors, units } = await figure.measure(port, signal);
      const spentMs = processorMs(pid) - before;
      const series = runs.get(name);
      if (round === 0 || series === undefined) continue;
      series.values.push(value);
      if (pid !== undefined && units !== undefined) {
        (series.processor ??= []).push(figure.program === "wrk" ? spentMs * 1_000 / units : spentMs / units);
      }
      series.errors += errors;
    }
  }
  return runs;
}

/** Processor time that a process has spent so far, all threads, with its children that have ended. */
function processorMs(pid: number | undefined): number {
  if (pid === undefined) return 0;
  let ticks = 0;
  for (const process of [pid, ...childrenOf(pid)]) {
    const fields = Deno.readTextFileSync(`/proc/${process}/stat`).split(") ")[1]?.split(" ") ?? [];
    // Fields 14 and 15, in ticks of 10 ms.
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * 10;
}

/** nginx works in a child. */
function childrenOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim();
  return text === "" ? [] : text.split(" ").map(Number);
}
