/**
 * Another scheduler on the same arrivals, and how the shares would differ.
 *
 * @module
 */
import type { Config } from "../config/model.ts";
import type { FindScheduler } from "../director/bound_schedulers.ts";
import type { Script } from "./script.ts";
import { Simulation } from "./simulation.ts";

/** One service under both schedulers. */
export interface ServiceComparison {
  readonly service: string;
  readonly connections: number;
  /** Connections that would have gone elsewhere. */
  readonly moved: number;
  /** Connections of which the record says something else than its replay under the scheduler they had. */
  readonly unlike: number;
  /** Rows in order of address; refused ones last, as `refused`. */
  readonly shares: readonly { readonly destination: string; readonly real: number; readonly other: number }[];
}

/**
 * Plays a script as it is and again with every service under `scheduler`. A recording's later events are what clients of the
 * real run did: what they would have done under the other scheduler nobody knows.
 *
 * @throws {ConfigError} a step of the script cannot be done
 */
export function compareSchedulers(options: {
  script: Script;
  config?: Config;
  scheduler: string;
  findScheduler: FindScheduler;
  /** Told now and then how many lines are done; the script is played twice. */
  progress?: (lines: number) => void;
}): ServiceComparison[] {
  const { scheduler, progress, ...same } = options;
  const already = same.script.lines.length;
  const second = progress === undefined ? {} : { progress: (lines: number) => progress(already + lines) };
  const real = decisionsOf(new Simulation({ ...same, ...(progress === undefined ? {} : { progress }) }));
  const other = decisionsOf(new Simulation({ ...same, ...second, scheduler }));
  const services = new Set([...real.values()].map((it) => it.service));
  return [...services].map((service) => compareService(service, real, other));
}

interface Decided {
  readonly service: string;
  /** Destination, or `refused`. */
  readonly decided: string;
  /** What the script says was decided, where it says so. */
  readonly recorded: string;
}

/** New connections by line. */
function decisionsOf(simulation: Simulation): Map<number, Decided> {
  const decisions = new Map<number, Decided>();
  for (const { line, service, answer, decision, expected, asExpected } of simulation.run()) {
    const isRefused = decision.refusal === "no-destination";
    if (!decision.isNew && !isRefused) continue;
    const decided = isRefused ? "refused" : answer;
    const saysOtherwise = expected !== undefined && !asExpected;
    const said = /^[a-z-]+$/.test(expected ?? "") ? "refused" : expected ?? "";
    decisions.set(line, { service, decided, recorded: saysOtherwise ? said : decided });
  }
  return decisions;
}

function compareService(
  service: string,
  real: ReadonlyMap<number, Decided>,
  other: ReadonlyMap<number, Decided>,
): ServiceComparison {
  const lines = [...real].filter(([, it]) => it.service === service);
  const counts = new Map<string, { real: number; other: number }>();
  const count = (destination: string, which: "real" | "other") => {
    const row = counts.get(destination) ?? { real: 0, other: 0 };
    row[which]++;
    counts.set(destination, row);
  };
  let moved = 0;
  let unlike = 0;
  for (const [line, { decided, recorded }] of lines) {
    const otherwise = other.get(line)?.decided ?? "refused";
    count(recorded, "real");
    count(otherwise, "other");
    if (otherwise !== recorded) moved++;
    if (decided !== recorded) unlike++;
  }
  const shares = [...counts].map(([destination, row]) => ({ destination, ...row }))
    .sort((a, b) =>
      Number(a.destination === "refused") - Number(b.destination === "refused") ||
      compare(a.destination, b.destination)
    );
  return { service, connections: lines.length, moved, unlike, shares };
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
