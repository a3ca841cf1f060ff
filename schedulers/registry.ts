/**
 * The schedulers by name.
 *
 * @module
 */
import { dh } from "./dh.ts";
import { fo } from "./fo.ts";
import { lblc } from "./lblc.ts";
import { lblcr } from "./lblcr.ts";
import { lc } from "./lc.ts";
import { mh } from "./mh.ts";
import { nq } from "./nq.ts";
import { ovf } from "./ovf.ts";
import { rr } from "./rr.ts";
import type { Scheduler } from "./scheduler.ts";
import { sed } from "./sed.ts";
import { sh } from "./sh.ts";
import { twos } from "./twos.ts";
import { wlc } from "./wlc.ts";
import { wrr } from "./wrr.ts";

const SCHEDULERS: ReadonlyMap<string, Scheduler> = new Map(
  [rr, wrr, lc, wlc, sed, nq, sh, mh, dh, lblc, lblcr, fo, ovf, twos].map((
    scheduler,
  ) => [scheduler.name, scheduler]),
);

/** Names of the schedulers there are, as ipvsadm spells them. */
export const SCHEDULER_NAMES: readonly string[] = [...SCHEDULERS.keys()];

/** The scheduler of this name, or `undefined`. */
export function findScheduler(name: string): Scheduler | undefined {
  return SCHEDULERS.get(name);
}
