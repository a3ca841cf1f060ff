/**
 * One destination under watch: its check, the evidence of live traffic, and its health.
 *
 * @module
 */
import type { Timer } from "../clock.ts";
import { LIMITS } from "../limits.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import type { Random } from "../net/random.ts";
import type { Check, CheckResult } from "./check.ts";
import { type CheckJob, CheckSchedule, type ScheduleSurroundings } from "./check_schedule.ts";
import { DestinationHealth, type HealthChange, type HealthReason } from "./destination_health.ts";
import type { HealthInput, HealthRule } from "./health.ts";
import { type HealthTiming, intervalMs, jittered, type PassiveHealth } from "./timing.ts";

/** What is watched, and how. */
export interface Watch {
  readonly target: Endpoint;
  /** The service it belongs to: `maxEjectedPercent` counts the destinations of one group. */
  readonly group: string;
  /** The active check; without one the destination is up unless live traffic says otherwise. */
  readonly active?: { readonly check: Check; readonly timing: HealthTiming };
  readonly passive?: PassiveHealth;
}

/** What all watched destinations share. */
export interface WatchSurroundings extends ScheduleSurroundings {
  readonly random: Random;
  /** Delay of a first check, milliseconds, given its interval: those that start together keep a distance. */
  startDelayMs(intervalMs: number): number;
  /** Whether one more of its group may go down by passive evidence. */
  mayEject(watched: WatchedDestination): boolean;
}

/** Without a check nothing but ejection moves the health, and its end restores it in one step. */
const UNCHECKED: HealthRule = { rise: 1, fall: 1, initialState: "up" };

/** The parts of one destination's watch, wired together. */
export class WatchedDestination {
  readonly health: DestinationHealth;
  readonly #around: WatchSurroundings;
  readonly #changed: (change: HealthChange) => void;
  #watch: Watch;
  #schedule: CheckSchedule | undefined;
  #letGo: Promise<unknown> = Promise.resolve();
  #failedConnects = 0;
  #ejections = 0;
  #returnedMs = 0;
  #returnTimer: Timer | undefined;

  constructor(around: WatchSurroundings, watch: Watch, changed: (change: HealthChange) => void) {
    this.#around = around;
    this.#changed = changed;
    this.#watch = watch;
    this.health = new DestinationHealth(around.clock, ruleOf(watch), startReason(watch));
    this.#startChecks();
  }

  get watch(): Watch {
    return this.#watch;
  }

  /** Whether it is down because live connections failed. */
  get downByTraffic(): boolean {
    return !this.health.up && this.health.reason === "connect-failed";
  }

  /** Takes over a new watch; what still holds for it is kept. */
  update(watch: Watch): void {
    const before = this.#watch;
    this.#watch = watch;
    const moved = formatEndpoint(before.target) !== formatEndpoint(watch.target);
    if (moved || (before.active !== undefined && watch.active === undefined)) {
      this.#stopChecks();
      this.#forgetTraffic();
      this.#tell(this.health.restart(ruleOf(watch), startReason(watch)));
    } else {
      // From now on the check brings an ejected one back.
      if (watch.active !== undefined) this.#returnTimer?.cancel();
      this.health.changeRule(ruleOf(watch));
    }
    const job = jobOf(watch);
    if (this.#schedule !== undefined && job !== undefined) this.#schedule.change(job);
    else this.#startChecks();
  }

  /** Forgets all evidence: the initial state, checked at once. */
  reset(): void {
    this.#forgetTraffic();
    this.#apply("reset", this.#watch.active === undefined ? "unchecked" : "admin-reset", "");
    this.#schedule?.hurry(0);
  }

  /** A live connection to it could not be opened. */
  connectFailed(detail: string): void {
    const { passive, active } = this.#watch;
    if (passive === undefined || ++this.#failedConnects < passive.failures) return;
    const evidence = `${this.#failedConnects} ${
      this.#failedConnects === 1 ? "connection" : "connections in a row"
    } failed${detail === "" ? "" : `: ${detail}`}`;
    if (active === undefined) {
      this.#eject(passive, evidence);
      return;
    }
    this.#failedConnects = 0;
    if (!this.health.lastChance || this.#around.mayEject(this)) {
      this.#apply("passive-failure", "connect-failed", evidence);
    }
    this.#schedule?.hurry(active.timing.fastIntervalMs);
  }

  connectSucceeded(): void {
    this.#failedConnects = 0;
  }

  /** Ends the watch; resolves when a running check has let go of everything. */
  async stop(): Promise<void> {
    this.#returnTimer?.cancel();
    this.#stopChecks();
    await this.#letGo;
  }

  #eject(passive: PassiveHealth, evidence: string): void {
    if (!this.health.up || !this.#around.mayEject(this)) return;
    const { clock } = this.#around;
    // Each ejection's worth of good time takes one repetition off, as in Envoy.
    const forgiven = Math.floor((clock.nowMs() - this.#returnedMs) / passive.ejectMs);
    this.#ejections = Math.min(LIMITS.healthEjectionFactor, Math.max(0, this.#ejections - forgiven) + 1);
    const forMs = passive.ejectMs * this.#ejections;
    this.#failedConnects = 0;
    this.#returnTimer = clock.after(forMs, () => {
      this.#returnedMs = clock.nowMs();
      this.#apply("return", "ejection-over", `after ${forMs} ms`);
    });
    this.#apply("eject", "connect-failed", `${evidence}; out for ${forMs} ms`);
  }

  #forgetTraffic(): void {
    this.#returnTimer?.cancel();
    this.#failedConnects = 0;
    this.#ejections = 0;
  }

  #startChecks(): void {
    const { active } = this.#watch;
    const job = jobOf(this.#watch);
    if (active === undefined || job === undefined) return;
    const owner = {
      judged: (result: CheckResult) => this.#tell(this.health.record(result)),
      pauseMs: () => this.#pauseMs(),
    };
    const firstDelayMs = this.#around.startDelayMs(active.timing.intervalMs);
    this.#schedule = new CheckSchedule(this.#around, owner, job, firstDelayMs);
  }

  #pauseMs(): number {
    const { active } = this.#watch;
    return active === undefined
      ? 0
      : jittered(intervalMs(active.timing, this.health.pace), this.#around.random);
  }

  #stopChecks(): void {
    this.#letGo = Promise.all([this.#letGo, this.#schedule?.stop()]);
    this.#schedule = undefined;
  }

  #apply(input: HealthInput, reason: HealthReason, detail: string): void {
    this.#tell(this.health.apply(input, reason, detail));
  }

  #tell(change: HealthChange | undefined): void {
    if (change !== undefined) this.#changed(change);
  }
}

function ruleOf(watch: Watch): HealthRule {
  return watch.active?.timing ?? UNCHECKED;
}

function startReason(watch: Watch): HealthReason {
  return watch.active === undefined ? "unchecked" : "initial";
}

function jobOf(watch: Watch): CheckJob | undefined {
  if (watch.active === undefined) return undefined;
  const { check, timing } = watch.active;
  const target = timing.port === undefined ? watch.target : { ...watch.target, port: timing.port };
  return { check, target, timeoutMs: timing.timeoutMs };
}
