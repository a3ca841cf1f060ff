import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import type { Check } from "../../../healthcheck/check.ts";
import { type HealthChange, Monitor, type Watch } from "../../../healthcheck/monitor.ts";
import type { HealthTiming, PassiveHealth } from "../../../healthcheck/timing.ts";
import { LIMITS } from "../../../limits.ts";
import { IpAddress } from "../../../net/address.ts";
import { SeededRandom } from "../../../net/random.ts";
import {
  type Answer,
  flush,
  NO_DIALER,
  pass,
  REFUSED,
  ScriptedCheck,
  TARGET,
  TIMING,
  UP,
} from "./scripted_check.ts";

const PASSIVE: PassiveHealth = { failures: 3, ejectMs: 10_000, maxEjectedPercent: 100 };

class Bench {
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

function watch(check?: Check, timing: Partial<HealthTiming> = {}, passive?: PassiveHealth): Watch {
  return {
    target: TARGET,
    group: "web",
    ...(check === undefined ? {} : { active: { check, timing: { ...TIMING, ...timing } } }),
    ...(passive === undefined ? {} : { passive }),
  };
}

Deno.test("monitor: before the first result the state is the initial one, and says so", async () => {
  const bench = new Bench();
  bench.monitor.add("a", watch(bench.check(() => "hang"), { initialState: "up" }));
  bench.monitor.add("b", watch(bench.check(() => "hang"), { initialState: "down" }));
  bench.monitor.add("c", watch());
  const states = ["a", "b", "c"].map((id) => bench.monitor.snapshot(id));
  assert.deepEqual(states.map((it) => [it?.up, it?.reason]), [[true, "initial"], [false, "initial"], [
    true,
    "unchecked",
  ]]);
  assert.equal(bench.monitor.snapshot("d"), undefined);
  await bench.end();
});

Deno.test("monitor: the first result decides, in both directions", async () => {
  const bench = new Bench();
  bench.monitor.add("good", watch(bench.check(() => UP), { initialState: "down" }));
  bench.monitor.add("bad", watch(bench.check(() => REFUSED), { initialState: "up" }));
  await pass(bench.clock, 20);
  assert.deepEqual(bench.summary(), ["good down->up check-passed", "bad up->down refused"]);
  assert.equal(bench.monitor.snapshot("bad")?.detail, "port closed");
  await bench.end();
});

Deno.test("monitor: settled up, it takes `fall` failures, the later ones at the fast interval", async () => {
  const bench = new Bench();
  const check = bench.check((run) => run < 2 ? UP : REFUSED);
  bench.monitor.add("a", watch(check));
  await pass(bench.clock, 4_000);
  assert.deepEqual(bench.summary(), ["a up->down refused"]);
  const gaps = check.startedMs.map((ms, i) => ms - (check.startedMs[i - 1] ?? 0)).slice(1, 5);
  for (const [i, wished] of [1_000, 1_000, 500, 500].entries()) {
    const gap = gaps[i] ?? 0;
    assert.ok(gap <= wished && gap >= wished * 0.9 - 1, `gap ${i}: ${gap} ms for an interval of ${wished}`);
  }
  await bench.end();
});

Deno.test("monitor: a snapshot tells the result, how often in a row, since when, and the past", async () => {
  const bench = new Bench();
  bench.clock.advance(5);
  bench.monitor.add("a", watch(bench.check((run) => run < 1 ? UP : REFUSED), { fall: 2 }));
  await pass(bench.clock, 10_000);
  const now = bench.monitor.snapshot("a");
  assert.equal(now?.state, "down");
  assert.deepEqual(now?.lastResult, REFUSED);
  assert.ok((now?.consecutive ?? 0) >= 4);
  assert.equal(now?.sinceMs, bench.changes[0]?.atMs);
  assert.ok((now?.lastCheckMs ?? 0) > (now?.sinceMs ?? 0));
  const wallMs = now?.sinceMs;
  assert.deepEqual(now?.history, [{
    wallMs,
    from: "up",
    to: "down",
    reason: "refused",
    detail: "port closed",
  }]);
  await bench.end();
});

Deno.test("monitor: history keeps the newest entries and no more", async () => {
  const bench = new Bench();
  bench.monitor.add("a", watch(bench.check((run) => run % 2 === 0 ? REFUSED : UP), { rise: 1, fall: 1 }));
  await pass(bench.clock, 200_000, 50);
  const history = bench.monitor.snapshot("a")?.history ?? [];
  assert.equal(history.length, LIMITS.healthHistoryEntries);
  assert.ok(bench.changes.length > LIMITS.healthHistoryEntries);
  assert.equal(history.at(-1)?.wallMs, bench.changes.at(-1)?.wallMs);
  await bench.end();
});

Deno.test("monitor: a thousand first checks are spread over one interval, three start at once", async () => {
  const bench = new Bench();
  const checks = Array.from({ length: 1_000 }, () => bench.check(() => UP));
  checks.forEach((check, i) => bench.monitor.add(`${i}`, watch(check, { intervalMs: 2_000 })));
  await pass(bench.clock, 2_000);
  const first = checks.map((check) => check.startedMs[0] ?? Infinity).sort((a, b) => a - b);
  const busiest = Math.max(
    ...first.map((ms) => first.filter((other) => other >= ms && other < ms + 10).length),
  );
  assert.ok((first[2] ?? Infinity) <= 10, `the third began after ${first[2]} ms`);
  assert.ok((first.at(-1) ?? Infinity) <= 2_000, `the last began after ${first.at(-1)} ms`);
  assert.ok(busiest <= 10, `${busiest} began within 10 ms`);
  await bench.end();
});

Deno.test("monitor: more destinations than an interval has room for are still checked within it", async () => {
  const bench = new Bench();
  const checks = Array.from({ length: 1_000 }, () => bench.check(() => UP));
  checks.forEach((check, i) => bench.monitor.add(`${i}`, watch(check, { intervalMs: 100 })));
  await pass(bench.clock, 100);
  assert.ok(checks.every((check) => check.startedMs.length > 0));
  await bench.end();
});

Deno.test("monitor: never two runs of one destination, never more than the limit over all", async () => {
  const bench = new Bench();
  const all = bench.check(() => "hang");
  for (let i = 0; i < LIMITS.healthChecksAtOnce * 2; i++) {
    bench.monitor.add(
      `${i}`,
      watch(all, { intervalMs: 50, fastIntervalMs: 50, downIntervalMs: 50, timeoutMs: 400 }),
    );
  }
  await pass(bench.clock, 2_000);
  assert.equal(all.mostRunning, LIMITS.healthChecksAtOnce);
  const single = bench.check(() => "hang");
  await bench.end();
  const alone = new Bench();
  alone.monitor.add("a", watch(single, { intervalMs: 50, timeoutMs: 400 }));
  await pass(alone.clock, 2_000);
  assert.equal(single.mostRunning, 1);
  await alone.end();
});

Deno.test("monitor: destinations that hang hold nobody up", async () => {
  const bench = new Bench();
  for (let i = 0; i < 100; i++) bench.monitor.add(`slow ${i}`, watch(bench.check(() => "hang")));
  const quick = bench.check(() => UP);
  bench.monitor.add("quick", watch(quick));
  await pass(bench.clock, 10_300);
  assert.ok(quick.startedMs.length >= 11, `${quick.startedMs.length} checks in ten seconds`);
  await bench.end();
});

Deno.test("monitor: a check that ignores its signal counts as failed and is not started again", async () => {
  const bench = new Bench();
  const deaf = bench.check((run) => run < 2 ? UP : "deaf");
  bench.monitor.add("a", watch(deaf));
  await pass(bench.clock, 10_000);
  assert.deepEqual(bench.summary(), ["a up->down timeout"]);
  assert.equal(deaf.startedMs.length, 3);
  // stop() would wait for it, as it should: only its timers can be asked for.
  void bench.monitor.stop();
  assert.equal(bench.clock.pendingTimers, 0);
});

Deno.test("monitor: lack of descriptors is no evidence against a server", async () => {
  const bench = new Bench();
  bench.monitor.add("a", watch(bench.check(() => ({ up: false, reason: "resources", detail: "EMFILE" }))));
  await pass(bench.clock, 10_000);
  assert.deepEqual(bench.summary(), []);
  assert.deepEqual(bench.monitor.snapshot("a")?.lastResult, {
    up: false,
    reason: "resources",
    detail: "EMFILE",
  });
  await bench.end();
});

Deno.test("monitor: a check that throws is a failed check with a reason", async () => {
  const bench = new Bench();
  const broken: Check = { type: "broken", run: () => Promise.reject(new TypeError("x is not a function")) };
  bench.monitor.add("a", watch(broken));
  await pass(bench.clock, 20);
  assert.deepEqual(bench.summary(), ["a up->down defect"]);
  assert.match(bench.monitor.snapshot("a")?.detail ?? "", /x is not a function/);
  await bench.end();
});

Deno.test("monitor: a listener that throws does not end the checks", async () => {
  const clock = new ManualClock();
  const check = new ScriptedCheck(clock, () => REFUSED);
  const monitor = new Monitor<string>({
    clock,
    random: new SeededRandom(1),
    dialer: NO_DIALER,
    onChange: () => {
      throw new Error("listener");
    },
  });
  const caught: unknown[] = [];
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    caught.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  monitor.add("a", watch(check));
  await pass(clock, 20);
  await new Promise((resolve) => setTimeout(resolve, 0));
  globalThis.removeEventListener("unhandledrejection", onRejection);
  await pass(clock, 4_000);
  assert.ok(check.startedMs.length >= 2);
  assert.equal(caught.length, 1, "the mistake is not hidden");
  await monitor.stop();
});

Deno.test("monitor: the check port may differ from the destination's", async () => {
  const bench = new Bench();
  const check = bench.check(() => UP);
  bench.monitor.add("a", watch(check, { port: 8_081 }));
  await pass(bench.clock, 10);
  assert.deepEqual(check.targets, [{ address: TARGET.address, port: 8_081 }]);
  await bench.end();
});

Deno.test("monitor: a reload with the same target keeps health, history and the time of the next check", async () => {
  const bench = new Bench();
  const before = bench.check(() => REFUSED);
  const after = bench.check(() => REFUSED);
  bench.monitor.add("a", watch(before, { intervalMs: 1_000, downIntervalMs: 1_000 }));
  await pass(bench.clock, 500);
  const old = bench.monitor.snapshot("a");
  bench.monitor.update("a", watch(after, { intervalMs: 1_000, downIntervalMs: 1_000, rise: 5 }));
  assert.deepEqual(bench.monitor.snapshot("a"), old);
  await pass(bench.clock, 500);
  assert.equal(after.startedMs.length, 1, "due when the old one was");
  assert.deepEqual(bench.summary(), ["a up->down refused"]);
  await bench.end();
});

Deno.test("monitor: reloads faster than the checks do not starve them", async () => {
  const bench = new Bench();
  const slow = () => bench.check(() => "hang");
  bench.monitor.add("a", watch(slow()));
  for (let i = 0; i < 60; i++) {
    await pass(bench.clock, 100);
    bench.monitor.update("a", watch(slow()));
  }
  assert.deepEqual(bench.summary(), ["a up->down timeout"]);
  assert.ok((bench.monitor.snapshot("a")?.consecutive ?? 0) >= 2);
  await bench.end();
});

Deno.test("monitor: another target starts from the initial state and is checked at once", async () => {
  const bench = new Bench();
  const check = bench.check((run) => run === 0 ? REFUSED : UP);
  bench.monitor.add("a", watch(check));
  await pass(bench.clock, 100);
  const target = { address: IpAddress.parse("192.0.2.2"), port: 80 };
  bench.monitor.update("a", { ...watch(check), target });
  assert.deepEqual(bench.summary(), ["a up->down refused", "a down->up initial"]);
  await pass(bench.clock, 10);
  assert.deepEqual(check.targets.at(-1), target);
  assert.equal(bench.monitor.snapshot("a")?.reason, "check-passed");
  assert.equal(bench.monitor.snapshot("a")?.history.length, 2);
  await bench.end();
});

Deno.test("monitor: taking the check away brings a destination up, giving one keeps its state", async () => {
  const bench = new Bench();
  bench.monitor.add("a", watch(bench.check(() => REFUSED)));
  await pass(bench.clock, 100);
  bench.monitor.update("a", watch());
  assert.deepEqual(bench.summary(), ["a up->down refused", "a down->up unchecked"]);
  bench.monitor.update("a", watch(bench.check(() => UP), { initialState: "down" }));
  assert.equal(bench.monitor.snapshot("a")?.up, true);
  await pass(bench.clock, 10);
  assert.equal(bench.monitor.snapshot("a")?.reason, "check-passed");
  await bench.end();
});

Deno.test("monitor: removal aborts a running check and waits for it", async () => {
  const bench = new Bench();
  const check = bench.check(() => "hang");
  bench.monitor.add("a", watch(check));
  await pass(bench.clock, 10);
  assert.equal(check.running, 1);
  await bench.monitor.remove("a");
  assert.equal(check.running, 0);
  assert.equal(bench.clock.pendingTimers, 0);
  assert.equal(bench.monitor.snapshot("a"), undefined);
  bench.monitor.reportConnectFailed("a");
  bench.monitor.reportConnectSucceeded("a");
  await bench.end();
});

Deno.test("monitor: removed slots go to those who wait", async () => {
  const bench = new Bench();
  const hung = bench.check(() => "hang");
  const timing = { intervalMs: 60_000, timeoutMs: 50_000 };
  for (let i = 0; i < LIMITS.healthChecksAtOnce; i++) bench.monitor.add(`${i}`, watch(hung, timing));
  await pass(bench.clock, LIMITS.healthChecksAtOnce * LIMITS.healthStartSpacingMs);
  const waiting = bench.check(() => UP);
  bench.monitor.add("waiting", watch(waiting));
  await pass(bench.clock, 1_000);
  assert.equal(waiting.startedMs.length, 0);
  await bench.monitor.remove("0");
  await flush();
  assert.equal(waiting.startedMs.length, 1);
  await bench.end();
});

Deno.test("monitor: adding twice and updating the unknown are mistakes", async () => {
  const bench = new Bench();
  bench.monitor.add("a", watch());
  assert.throws(() => bench.monitor.add("a", watch()), /watched already/);
  assert.throws(() => bench.monitor.update("b", watch()), /not watched/);
  await bench.end();
});

Deno.test("monitor: reset forgets the evidence and checks at once", async () => {
  const bench = new Bench();
  const check = bench.check((run) => run === 0 ? REFUSED : UP);
  bench.monitor.add("a", watch(check));
  await pass(bench.clock, 100);
  bench.monitor.reset("a");
  assert.deepEqual(bench.summary(), ["a up->down refused", "a down->up reset"]);
  await pass(bench.clock, 10);
  assert.equal(check.startedMs.length, 2);
  assert.equal(bench.monitor.snapshot("a")?.state, "up");
  await bench.end();
});

Deno.test("passive with a check: failed connects count as one failed check and hurry the next", async () => {
  const bench = new Bench();
  const check = bench.check((run) => run < 2 ? UP : REFUSED);
  bench.monitor.add("a", watch(check, { intervalMs: 60_000, fall: 2 }, PASSIVE));
  await pass(bench.clock, 60_100, 100);
  assert.equal(check.startedMs.length, 2);
  for (let i = 0; i < 2; i++) bench.monitor.reportConnectFailed("a");
  bench.monitor.reportConnectSucceeded("a");
  for (let i = 0; i < 2; i++) bench.monitor.reportConnectFailed("a");
  assert.equal(bench.monitor.snapshot("a")?.state, "up", "not three in a row");
  bench.monitor.reportConnectFailed("a");
  assert.equal(bench.monitor.snapshot("a")?.state, "failing");
  await pass(bench.clock, TIMING.fastIntervalMs);
  assert.equal(check.startedMs.length, 3);
  assert.deepEqual(bench.summary(), ["a up->down refused"]);
  await bench.end();
});

Deno.test("passive with a check: the last failed check may be a passive one; the check brings it back", async () => {
  const bench = new Bench();
  bench.monitor.add("a", watch(bench.check(() => UP), { rise: 2, fall: 1 }, PASSIVE));
  await pass(bench.clock, 100);
  for (let i = 0; i < 3; i++) bench.monitor.reportConnectFailed("a", "connect-refused");
  assert.deepEqual(bench.summary(), ["a up->down connect-failed"]);
  assert.match(bench.changes[0]?.detail ?? "", /3 connections in a row failed: connect-refused/);
  await pass(bench.clock, 2 * TIMING.fastIntervalMs);
  assert.deepEqual(bench.summary().slice(1), ["a down->up check-passed"]);
  await bench.end();
});

Deno.test("passive without a check: ejected for a time that grows and is forgiven", async () => {
  const bench = new Bench();
  bench.monitor.add("a", watch(undefined, {}, PASSIVE));
  const outMs: number[] = [];
  const fail = async () => {
    for (let i = 0; i < 3; i++) bench.monitor.reportConnectFailed("a");
    const sinceMs = bench.clock.nowMs();
    assert.equal(bench.monitor.snapshot("a")?.state, "ejected");
    while (!bench.monitor.snapshot("a")?.up) await pass(bench.clock, 100, 100);
    outMs.push(bench.clock.nowMs() - sinceMs);
  };
  for (let i = 0; i < 12; i++) await fail();
  const factors = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10];
  assert.deepEqual(outMs, factors.map((factor) => factor * PASSIVE.ejectMs));
  assert.equal(bench.monitor.snapshot("a")?.reason, "ejection-over");
  bench.clock.advance(3 * PASSIVE.ejectMs);
  await fail();
  assert.equal(outMs.at(-1), 8 * PASSIVE.ejectMs, "three good periods took three off");
  await bench.end();
});

Deno.test("passive: only the allowed share of a group goes down by it, whatever other groups do", async () => {
  const bench = new Bench();
  const half = { ...PASSIVE, maxEjectedPercent: 50 };
  for (const id of ["a", "b", "c", "d", "e"]) bench.monitor.add(id, watch(undefined, {}, half));
  bench.monitor.add("other", { ...watch(undefined, {}, half), group: "alone" });
  const down = () => ["a", "b", "c", "d", "e", "other"].filter((id) => !bench.monitor.snapshot(id)?.up);
  for (const id of ["a", "b", "c", "d", "e", "other"]) {
    for (let i = 0; i < 10; i++) bench.monitor.reportConnectFailed(id);
  }
  assert.deepEqual(down(), ["a", "b"]);
  await pass(bench.clock, PASSIVE.ejectMs, 1_000);
  assert.deepEqual(down(), []);
  bench.monitor.reportConnectFailed("c");
  assert.deepEqual(down(), ["c"], "its failures were not forgotten");
  await bench.end();
});

Deno.test("passive with a check: the share holds there too, and the check still decides", async () => {
  const bench = new Bench();
  const half = { ...PASSIVE, maxEjectedPercent: 50 };
  const checks = ["a", "b", "c"].map((id) => {
    const check = bench.check((run) => run === 0 ? UP : REFUSED);
    bench.monitor.add(id, watch(check, { fall: 1, intervalMs: 60_000 }, half));
    return check;
  });
  await pass(bench.clock, 100);
  for (const id of ["a", "b", "c"]) for (let i = 0; i < 3; i++) bench.monitor.reportConnectFailed(id);
  assert.deepEqual(bench.summary(), ["a up->down connect-failed"]);
  await pass(bench.clock, TIMING.fastIntervalMs);
  assert.deepEqual(checks.map((check) => check.startedMs.length), [2, 2, 2]);
  assert.deepEqual(bench.summary().slice(1), ["b up->down refused", "c up->down refused"]);
  await bench.end();
});
