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
}): ServiceComparison[] {
  const { scheduler, ...same } = options;
  const real = decisionsOf(new Simulation(same));
  const other = decisionsOf(new Simulation({ ...same, scheduler }));
  const services = new Set([...real.values()].map((it) => it.service));
  return [...services].map((service) => compareService(service, real, other));
}

interface Decided {
  readonly service: string;
  readonly answer: string;
}

/** New connections by line. */
function decisionsOf(simulation: Simulation): Map<number, Decided> {
  const decisions = new Map<number, Decided>();
  for (const { line, service, answer, decision } of simulation.run()) {
    if (decision.isNew) decisions.set(line, { service, answer });
    else if (decision.refusal === "no-destination") decisions.set(line, { service, answer: "refused" });
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
  for (const [line, { answer }] of lines) {
    const otherAnswer = other.get(line)?.answer ?? "refused";
    count(answer, "real");
    count(otherAnswer, "other");
    if (otherAnswer !== answer) moved++;
  }
  const shares = [...counts].map(([destination, row]) => ({ destination, ...row }))
    .sort((a, b) =>
      Number(a.destination === "refused") - Number(b.destination === "refused") ||
      compare(a.destination, b.destination)
    );
  return { service, connections: lines.length, moved, shares };
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
