import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import type { Check } from "../../../healthcheck/check.ts";
import { Monitor } from "../../../healthcheck/monitor.ts";
import { LIMITS } from "../../../limits.ts";
import { SeededRandom } from "../../../net/random.ts";
import { Bench, watch } from "./monitor_bench.ts";
import { NO_DIALER, pass, REFUSED, ScriptedCheck, TARGET, UP } from "./scripted_check.ts";

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

Deno.test("monitor: the reason is that of the change, whatever fails afterwards", async () => {
  const bench = new Bench();
  const results = [{ up: false, reason: "reset", detail: "by peer" }, REFUSED] as const;
  bench.monitor.add("a", watch(bench.check((run) => results[Math.min(run, 1)] ?? UP)));
  await pass(bench.clock, 10_000);
  const { reason, detail, lastResult } = bench.monitor.snapshot("a") ?? {};
  assert.deepEqual([reason, detail, lastResult], ["reset", "by peer", REFUSED]);
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

Deno.test("monitor: a check that lets go late is one failure, and the next starts when it has", async () => {
  const bench = new Bench();
  const startedMs: number[] = [];
  const slow: Check = {
    type: "slow",
    // Like a program in its grace period: it ends 200 ms after the time-out.
    run: (_target, _dialer, signal) =>
      new Promise((resolve) => {
        startedMs.push(bench.clock.nowMs());
        signal.addEventListener("abort", () => bench.clock.after(200, () => resolve(REFUSED)));
      }),
  };
  const timing = {
    initialState: "down",
    intervalMs: 100,
    fastIntervalMs: 100,
    downIntervalMs: 100,
    timeoutMs: 400,
  } as const;
  bench.monitor.add("a", watch(slow, timing));
  await pass(bench.clock, 2_000);
  assert.deepEqual(startedMs, [0, 600, 1_200, 1_800]);
  assert.equal(bench.monitor.snapshot("a")?.consecutive, 3);
  await pass(bench.clock, 1_000);
  void bench.monitor.stop();
  await pass(bench.clock, 1_000);
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
