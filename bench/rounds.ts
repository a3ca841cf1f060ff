/**
 * The order of runs: A B C D, A B C D, ... so that a slow moment of the machine falls on neighbours, not on one side.
 */
import type { Effort, Figure } from "./figure.ts";
import { processesOf, type Side } from "./side.ts";

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

/** What a run is told and asked. */
export interface RunControl {
  /** Told before each run; rounds below 1 are the warming up. */
  readonly progress: (round: number, side: string) => void;
  readonly signal: AbortSignal;
}

/** The `progress` of a figure's runs, as a line: `udp-pairs: round 2 of 9, nginx`. */
export function roundProgress(
  figure: string,
  rounds: number,
  show: (text: string) => void,
): RunControl["progress"] {
  return (round, side) =>
    show(`${figure}: ${round < 1 ? "warming up" : `round ${round} of ${rounds}`}, ${side}`);
}

/** Runs every side in turn: `warmUpRounds` times, which are thrown away, then `rounds` times. */
export async function runRounds(
  figure: Figure,
  sides: readonly Side[],
  { warmUpRounds, rounds }: Pick<Effort, "warmUpRounds" | "rounds">,
  control: RunControl,
): Promise<FigureRuns> {
  const runs = new Map<string, Series>();
  for (let round = 1 - warmUpRounds; round <= rounds; round++) {
    await runRound(figure, sides, round, runs, control);
  }
  return runs;
}

/** As {@linkcode runRounds} for a figure about fresh processes: every round has its own, and none is thrown away. */
export async function runFreshRounds(
  figure: Figure,
  start: () => Promise<AsyncDisposable & { readonly sides: readonly Side[] }>,
  rounds: number,
  control: RunControl,
): Promise<FigureRuns> {
  const runs = new Map<string, Series>();
  for (let round = 1; round <= rounds; round++) {
    await using topology = await start();
    control.signal.throwIfAborted();
    await runRound(figure, topology.sides.filter(({ pids }) => pids.length > 0), round, runs, control);
  }
  return runs;
}

async function runRound(
  figure: Figure,
  sides: readonly Side[],
  round: number,
  runs: Map<string, Series>,
  { progress, signal }: RunControl,
): Promise<void> {
  for (const side of sides) {
    const { name, pids, onlyFor } = side;
    if (!(onlyFor?.includes(figure.name) ?? true)) continue;
    progress(round, name);
    const before = processorMs(pids);
    const { value, errors, units } = await figure.measure(side, signal);
    const spentMs = processorMs(pids) - before;
    if (round < 1) continue;
    const series = runs.get(name) ?? { values: [], errors: 0 };
    runs.set(name, series);
    series.values.push(value);
    series.errors += errors;
    if (pids.length > 0 && units !== undefined) {
      const scale = figure.processorUnit === "us each" ? 1_000 : 1;
      (series.processor ??= []).push(spentMs * scale / units);
    }
  }
}

/** Processor time that processes and their children have spent so far, all threads. */
function processorMs(pids: readonly number[]): number {
  let ticks = 0;
  for (const process of processesOf(pids)) {
    const fields = Deno.readTextFileSync(`/proc/${process}/stat`).split(") ")[1]?.split(" ") ?? [];
    // Fields 14 and 15, in ticks of 10 ms.
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * 10;
}
