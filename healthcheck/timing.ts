/**
 * When a destination is checked next, and how many results it takes to change its state.
 *
 * The field names are those of the configuration, so that a validated one fits as it is.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import type { Random } from "../net/random.ts";
import type { Pace } from "./health.ts";

/** Timing shared by all check types; durations in milliseconds. */
export interface HealthTiming {
  /** From the start of one check to the start of the next. */
  readonly intervalMs: number;
  /** Interval while a change of state is being confirmed. */
  readonly fastIntervalMs: number;
  /** Interval while down. */
  readonly downIntervalMs: number;
  readonly timeoutMs: number;
  /** Successes in a row to come up. */
  readonly rise: number;
  /** Failures in a row to go down. */
  readonly fall: number;
  /** State before the first result. */
  readonly initialState: "up" | "down";
  /** Port to check instead of the destination's own. */
  readonly port?: number;
}

/** Live traffic as a witness: failed connects count. */
export interface PassiveHealth {
  /** Failed connects in a row that count as one failed check, or eject when there is no check. */
  readonly failures: number;
  /** First ejection, milliseconds; the n-th in short succession lasts n times as long. */
  readonly ejectMs: number;
  /** At most this share of a service's destinations, in percent, may be down by passive evidence. */
  readonly maxEjectedPercent: number;
}

const INTERVAL = {
  normal: "intervalMs",
  fast: "fastIntervalMs",
  down: "downIntervalMs",
} as const satisfies Record<Pace, keyof HealthTiming>;

/** The interval that a pace stands for, milliseconds. */
export function intervalMs(timing: HealthTiming, pace: Pace): number {
  return timing[INTERVAL[pace]];
}

/**
 * Shortens an interval by a random share, at most `LIMITS.healthJitterPercent`, so that checks which started together drift
 * apart. It never lengthens: fall x interval + timeout stays the bound within which a dead server is noticed.
 */
export function jittered(delayMs: number, random: Random): number {
  return delayMs * (1 - random.below(LIMITS.healthJitterPercent * 100 + 1) / 10_000);
}
