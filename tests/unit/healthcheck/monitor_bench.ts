/**
 * A monitor to try things on.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import type { Check } from "../../../healthcheck/check.ts";
import { type HealthChange, Monitor, type Watch } from "../../../healthcheck/monitor.ts";
import type { HealthTiming, PassiveHealth } from "../../../healthcheck/timing.ts";
import { SeededRandom } from "../../../net/random.ts";
import { type Answer, NO_DIALER, ScriptedCheck, TARGET, TIMING } from "./scripted_check.ts";

/** Three failed connects in a row; everybody may go down. */
export const PASSIVE: PassiveHealth = { failures: 3, ejectMs: 10_000, maxEjectedPercent: 100 };

/** A monitor on a clock of its own, and what it told. */
export class Bench {
  readonly clock = new ManualClock();
  readonly changes: (HealthChange & { id: string; atMs: number })[] = [];
  readonly monitor = new Monitor<string>({
    clock: this.clock,
    random: new SeededRandom(1),
    dialer: NO_DIALER,
    onChange: (id, change) => this.changes.push({ ...change, id, atMs: this.clock.nowMs() }),
  });

  check(answer: (run: number) => Answer): ScriptedCheck {
    return new ScriptedCheck(this.clock, answer);
  }

  summary(): string[] {
    return this.changes.map(({ id, from, to, reason }) => `${id} ${from}->${to} ${reason}`);
  }

  /** Stops the monitor and proves that no timer is left. */
  async end(): Promise<void> {
    await this.monitor.stop();
    assert.equal(this.clock.pendingTimers, 0, "timers left behind");
  }
}

/** A watch of `TARGET` in the group "web". */
export function watch(check?: Check, timing: Partial<HealthTiming> = {}, passive?: PassiveHealth): Watch {
  return {
    target: TARGET,
    group: "web",
    ...(check === undefined ? {} : { active: { check, timing: { ...TIMING, ...timing } } }),
    ...(passive === undefined ? {} : { passive }),
  };
}
