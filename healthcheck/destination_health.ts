/**
 * What is known about the health of one destination: its place in the table, why it is there, and its past.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { LIMITS } from "../limits.ts";
import type { CheckFailure, CheckResult } from "./check.ts";
import {
  afterInput,
  type Health,
  type HealthInput,
  type HealthRule,
  type HealthState,
  initialHealth,
  isUp,
  PACE,
  type Pace,
  underRule,
} from "./health.ts";

/** Why a destination is up or down: the failed check's reason, or one of these. A closed list for log and metrics. */
export type HealthReason =
  | CheckFailure
  /** No result yet. */
  | "initial"
  /** Nothing checks it: always up. */
  | "unchecked"
  /** Its check succeeds. */
  | "check-passed"
  /** Live connections could not be opened. */
  | "connect-failed"
  /** An ejection ended by time. */
  | "ejection-over"
  /** An administrator had the evidence forgotten. */
  | "admin-reset";

/** Reasons without evidence behind them. */
const ASSUMED: ReadonlySet<HealthReason> = new Set(["initial", "unchecked", "admin-reset"]);

/** One change between up and down. */
export interface HealthChange {
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  readonly from: "up" | "down";
  readonly to: "up" | "down";
  readonly reason: HealthReason;
  readonly detail: string;
}

/** What status shows of a destination; times are monotonic milliseconds of the monitor's clock unless named `wallMs`. */
export interface HealthSnapshot {
  readonly up: boolean;
  readonly state: HealthState;
  /** Why it is up or down. */
  readonly reason: HealthReason;
  readonly detail: string;
  /** When it became up or down. */
  readonly sinceMs: number;
  /** When the last check ended; undefined before the first. */
  readonly lastCheckMs: number | undefined;
  readonly lastResult: CheckResult | undefined;
  /** Results in a row that agree with the last one. */
  readonly consecutive: number;
  /** Oldest first, at most `LIMITS.healthHistoryEntries`. */
  readonly history: readonly HealthChange[];
}

/** The record behind a snapshot. It keeps no timers and starts no checks. */
export class DestinationHealth {
  readonly #clock: Clock;
  #rule: HealthRule;
  #health: Health;
  #reason: HealthReason;
  #detail = "";
  #sinceMs: number;
  #lastCheckMs: number | undefined;
  #lastResult: CheckResult | undefined;
  #consecutive = 0;
  #history: HealthChange[] = [];

  constructor(clock: Clock, rule: HealthRule, reason: HealthReason) {
    this.#clock = clock;
    this.#rule = rule;
    this.#health = initialHealth(rule);
    this.#reason = reason;
    this.#sinceMs = clock.nowMs();
  }

  get up(): boolean {
    return isUp(this.#health);
  }

  get state(): HealthState {
    return this.#health.state;
  }

  get reason(): HealthReason {
    return this.#reason;
  }

  /** Which interval comes next. */
  get pace(): Pace {
    return PACE[this.#health.state];
  }

  /** Whether one more failure would take it down. */
  get lastChance(): boolean {
    return this.up && !isUp(afterInput(this.#health, "failure", this.#rule));
  }

  /** Writes a check's result down; a result that says nothing about the server moves nothing. */
  record(result: CheckResult): HealthChange | undefined {
    this.#consecutive = this.#lastResult?.up === result.up ? this.#consecutive + 1 : 1;
    this.#lastResult = result;
    this.#lastCheckMs = this.#clock.nowMs();
    if (result.up) return this.apply("success", "check-passed", result.detail);
    if (result.reason === "resources") return undefined;
    return this.apply("failure", result.reason, result.detail);
  }

  /** Takes one step through the table; returns the change when it went up or down by it. */
  apply(input: HealthInput, reason: HealthReason, detail: string): HealthChange | undefined {
    return this.#enter(afterInput(this.#health, input, this.#rule), reason, detail);
  }

  /** A new rule for the same destination: nothing is forgotten, up stays up and down stays down. */
  changeRule(rule: HealthRule): void {
    this.#health = underRule(this.#health, this.#rule, rule);
    this.#rule = rule;
  }

  /** Another address, or no check any more: what was known no longer counts, the past stays on record. */
  restart(rule: HealthRule, reason: HealthReason): HealthChange | undefined {
    this.#rule = rule;
    this.#lastCheckMs = undefined;
    this.#lastResult = undefined;
    this.#consecutive = 0;
    return this.#enter(initialHealth(rule), reason, "");
  }

  snapshot(): HealthSnapshot {
    return {
      up: this.up,
      state: this.state,
      reason: this.#reason,
      detail: this.#detail,
      sinceMs: this.#sinceMs,
      lastCheckMs: this.#lastCheckMs,
      lastResult: this.#lastResult,
      consecutive: this.#consecutive,
      history: [...this.#history],
    };
  }

  #enter(next: Health, reason: HealthReason, detail: string): HealthChange | undefined {
    const wasUp = this.up;
    this.#health = next;
    // The first evidence explains an assumed state; from then on the reason is that of the last change.
    if (wasUp === this.up) {
      if (ASSUMED.has(this.#reason) || ASSUMED.has(reason)) this.#explain(reason, detail);
      return undefined;
    }
    this.#explain(reason, detail);
    this.#sinceMs = this.#clock.nowMs();
    const change: HealthChange = {
      wallMs: this.#clock.wallMs(),
      from: wasUp ? "up" : "down",
      to: wasUp ? "down" : "up",
      reason,
      detail,
    };
    this.#history.push(change);
    if (this.#history.length > LIMITS.healthHistoryEntries) this.#history.shift();
    return change;
  }

  #explain(reason: HealthReason, detail: string): void {
    this.#reason = reason;
    this.#detail = detail;
  }
}
