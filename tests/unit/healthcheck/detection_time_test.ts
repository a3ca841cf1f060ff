/** How long the monitor takes to notice, for any timing and any moment of death. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../../clock.ts";
import { Monitor } from "../../../healthcheck/monitor.ts";
import type { HealthTiming } from "../../../healthcheck/timing.ts";
import { LIMITS } from "../../../limits.ts";
import { SeededRandom } from "../../../net/random.ts";
import { NO_DIALER, pass, REFUSED, ScriptedCheck, TARGET, UP } from "./scripted_check.ts";

const STEP_MS = 10;
/** A result told between two steps is seen at the next. */
const SLACK_MS = 2 * STEP_MS;

const timing: fc.Arbitrary<HealthTiming> = fc.record({
  intervalMs: fc.integer({ min: 10, max: 300 }).map((it) => it * 10),
  fastIntervalMs: fc.constant(0),
  downIntervalMs: fc.constant(0),
  timeoutMs: fc.integer({ min: 1, max: 100 }).map((it) => it * 10),
  rise: fc.integer({ min: 1, max: 5 }),
  fall: fc.integer({ min: 1, max: 5 }),
  initialState: fc.constantFrom("up" as const, "down" as const),
}).chain((base) =>
  fc.record({ fast: fc.integer({ min: 10, max: 100 }), down: fc.integer({ min: 10, max: 200 }) }).map((
    share,
  ) => ({
    ...base,
    fastIntervalMs: Math.max(50, Math.floor(base.intervalMs * share.fast / 100)),
    downIntervalMs: Math.floor(base.intervalMs * share.down / 100),
  }))
);

class Scene {
  readonly clock = new ManualClock();
  alive = true;
  readonly #deathIsSilent: boolean;
  readonly check = new ScriptedCheck(
    this.clock,
    () => this.alive ? UP : this.#deathIsSilent ? "hang" : REFUSED,
  );
  readonly monitor: Monitor<string>;
  readonly changedMs: number[] = [];

  constructor(timing: HealthTiming, seed: number, deathIsSilent: boolean) {
    this.#deathIsSilent = deathIsSilent;
    this.monitor = new Monitor({
      clock: this.clock,
      random: new SeededRandom(seed),
      dialer: NO_DIALER,
      onChange: () => this.changedMs.push(this.clock.nowMs()),
    });
    this.monitor.add("a", { target: TARGET, group: "web", active: { check: this.check, timing } });
  }

  get up(): boolean {
    return this.monitor.snapshot("a")?.up === true;
  }

  /** Lets time pass until it is up or down as wished; answers how long that took. */
  async until(up: boolean, atMostMs: number): Promise<number> {
    const startMs = this.clock.nowMs();
    while (this.up !== up && this.clock.nowMs() - startMs <= atMostMs) {
      await pass(this.clock, STEP_MS, STEP_MS);
    }
    return this.clock.nowMs() - startMs;
  }
}

Deno.test("detection: a server that dies at any moment is down within fall x interval + timeout", async () => {
  await fc.assert(
    fc.asyncProperty(
      timing,
      fc.integer(),
      fc.nat(10_000),
      fc.boolean(),
      async (timing, seed, lifeMs, silent) => {
        const scene = new Scene(timing, seed, silent);
        await scene.until(true, 10_000);
        await pass(scene.clock, lifeMs, STEP_MS);
        scene.alive = false;
        // A run that outlasts the interval holds up the next: the longer of the two counts.
        const roundMs = Math.max(timing.intervalMs, timing.timeoutMs);
        const boundMs = timing.fall * roundMs + timing.timeoutMs;
        const tookMs = await scene.until(false, boundMs + SLACK_MS);
        await scene.monitor.stop();
        assert.ok(tookMs <= boundMs + SLACK_MS, `${tookMs} ms, promised ${boundMs} ms`);
        assert.equal(scene.clock.pendingTimers, 0);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("detection: a server that comes back is up within a down interval, rise - 1 fast ones and a time-out", async () => {
  await fc.assert(
    fc.asyncProperty(
      timing,
      fc.integer(),
      fc.nat(10_000),
      fc.boolean(),
      async (timing, seed, deadMs, silent) => {
        const scene = new Scene(timing, seed, silent);
        scene.alive = false;
        await scene.until(false, 10_000);
        await pass(scene.clock, deadMs, STEP_MS);
        scene.alive = true;
        const boundMs = Math.max(timing.downIntervalMs, timing.timeoutMs) +
          (timing.rise - 1) * timing.fastIntervalMs + timing.timeoutMs;
        const tookMs = await scene.until(true, boundMs + SLACK_MS);
        await scene.monitor.stop();
        assert.ok(tookMs <= boundMs + SLACK_MS, `${tookMs} ms, promised ${boundMs} ms`);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("detection: the worked example of docs/health.md", async () => {
  const example: HealthTiming = {
    intervalMs: 2_000,
    fastIntervalMs: 500,
    downIntervalMs: 2_000,
    timeoutMs: 1_000,
    rise: 2,
    fall: 3,
    initialState: "up",
  };
  for (
    const { silent, latestMs } of [{ silent: false, latestMs: 3_000 }, { silent: true, latestMs: 5_000 }]
  ) {
    const took: number[] = [];
    for (let i = 0; i < 40; i++) {
      const scene = new Scene(example, i, silent);
      await pass(scene.clock, 10_000 + i * 50, STEP_MS);
      scene.alive = false;
      took.push(await scene.until(false, 10_000));
      scene.alive = true;
      assert.ok(await scene.until(true, 10_000) <= 2_500 + (silent ? example.timeoutMs : 0) + SLACK_MS);
      await scene.monitor.stop();
    }
    const [worstMs, bestMs] = [Math.max(...took), Math.min(...took)];
    assert.ok(worstMs <= latestMs + SLACK_MS && worstMs >= latestMs * 0.85, `worst ${worstMs} ms`);
    assert.ok(bestMs >= latestMs - 2_000 - 300 && bestMs <= latestMs - 2_000 + 300, `best ${bestMs} ms`);
  }
});

Deno.test("detection: the history of any life is bounded, alternates and ends in the present state", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 120 }), fc.integer(), async (life, seed) => {
      const quick: HealthTiming = {
        intervalMs: 100,
        fastIntervalMs: 100,
        downIntervalMs: 100,
        timeoutMs: 50,
        rise: 1,
        fall: 1,
        initialState: "up",
      };
      const scene = new Scene(quick, seed, false);
      for (const alive of life) {
        scene.alive = alive;
        await pass(scene.clock, 100, 50);
      }
      const history = scene.monitor.snapshot("a")?.history ?? [];
      assert.ok(history.length <= LIMITS.healthHistoryEntries);
      assert.equal(history.length, Math.min(scene.changedMs.length, LIMITS.healthHistoryEntries));
      for (const [i, entry] of history.entries()) {
        assert.notEqual(entry.from, entry.to);
        if (i > 0) assert.equal(entry.from, history[i - 1]?.to);
      }
      if (history.length > 0) assert.equal(history.at(-1)?.to === "up", scene.up);
      await scene.monitor.stop();
    }),
    { numRuns: 40 },
  );
});
