/**
 * The order of runs: A B C D, A B C D, ... so that a slow moment of the machine falls on neighbours, not on one side.
 */
import type { Figure } from "./figure.ts";
import type { Side } from "./side.ts";

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
    for (const { name, ports, pids } of sides) {
      progress(round, name);
      const before = processorMs(pids);
      const { value, errors, units } = await figure.measure(ports[figure.target], signal);
      const spentMs = processorMs(pids) - before;
      const series = runs.get(name);
      if (round === 0 || series === undefined) continue;
      series.values.push(value);
      if (pids.length > 0 && units !== undefined) {
        const scale = figure.processorUnit === "us each" ? 1_000 : 1;
        (series.processor ??= []).push(spentMs * scale / units);
      }
      series.errors += errors;
    }
  }
  return runs;
}

/** Processor time that processes and their children have spent so far, all threads. */
function processorMs(pids: readonly number[]): number {
  let ticks = 0;
  for (const process of pids.flatMap((pid) => [pid, ...childrenOf(pid)])) {
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
