/**
 * Scheduler flags by name, and the scheduler that each belongs to.
 *
 * @module
 */
import { MH_FALLBACK, MH_PORT } from "../schedulers/mh.ts";
import { SH_FALLBACK, SH_PORT } from "../schedulers/sh.ts";

/** One flag of `ipvsadm -b`. */
export interface SchedulerFlag {
  readonly scheduler: string;
  /** Its `SCHEDULER_FLAG` bit. */
  readonly bit: number;
}

/** Every flag that a config may name. */
export const SCHEDULER_FLAGS: Readonly<Record<string, SchedulerFlag>> = {
  "sh-fallback": { scheduler: "sh", bit: SH_FALLBACK },
  "sh-port": { scheduler: "sh", bit: SH_PORT },
  "mh-fallback": { scheduler: "mh", bit: MH_FALLBACK },
  "mh-port": { scheduler: "mh", bit: MH_PORT },
};

/** Bits of these flags together. */
export function flagBits(names: readonly string[]): number {
  return names.reduce((bits, name) => bits | (SCHEDULER_FLAGS[name]?.bit ?? 0), 0);
}
