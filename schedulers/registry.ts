/**
 * The schedulers by name.
 *
 * @module
 */
import { lc } from "./lc.ts";
import { rr } from "./rr.ts";
import type { Scheduler } from "./scheduler.ts";
import { sh } from "./sh.ts";
import { wlc } from "./wlc.ts";
import { wrr } from "./wrr.ts";

const SCHEDULERS: ReadonlyMap<string, Scheduler> = new Map(
  [rr, wrr, lc, wlc, sh].map((scheduler) => [scheduler.name, scheduler]),
);

/** Names of the schedulers there are, as ipvsadm spells them. */
export const SCHEDULER_NAMES: readonly string[] = [...SCHEDULERS.keys()];

/** The scheduler of this name, or `undefined`. */
export function findScheduler(name: string): Scheduler | undefined {
  return SCHEDULERS.get(name);
}
