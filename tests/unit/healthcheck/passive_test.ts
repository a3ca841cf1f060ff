import assert from "node:assert/strict";
import { Bench, PASSIVE, watch } from "./monitor_bench.ts";
import { pass, REFUSED, TIMING, UP } from "./scripted_check.ts";

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

Deno.test("passive with a check: where the share is used up, failed connects still count short of down", async () => {
  const bench = new Bench();
  const half = { ...PASSIVE, maxEjectedPercent: 50 };
  for (const id of ["a", "b"]) {
    bench.monitor.add(
      id,
      watch(bench.check(() => UP), { fall: 2, intervalMs: 60_000, fastIntervalMs: 30_000 }, half),
    );
  }
  await pass(bench.clock, 100);
  const fail = (id: string) => {
    for (let i = 0; i < 3; i++) bench.monitor.reportConnectFailed(id);
    return bench.monitor.snapshot(id)?.state;
  };
  assert.deepEqual([fail("a"), fail("a")], ["failing", "down"]);
  assert.deepEqual([fail("b"), fail("b"), fail("b")], ["failing", "failing", "failing"]);
  await bench.end();
});

Deno.test("passive: an ejected destination that gets a check waits for the check, not for the time", async () => {
  const bench = new Bench();
  bench.monitor.add("a", watch(undefined, {}, PASSIVE));
  for (let i = 0; i < 3; i++) bench.monitor.reportConnectFailed("a");
  await pass(bench.clock, PASSIVE.ejectMs - 100);
  bench.monitor.update("a", watch(bench.check((run) => run === 0 ? "hang" : UP), {}, PASSIVE));
  await pass(bench.clock, 300);
  assert.equal(bench.monitor.snapshot("a")?.state, "ejected", "no result yet");
  await pass(bench.clock, 10_000);
  assert.deepEqual(bench.summary(), ["a up->down connect-failed", "a down->up check-passed"]);
  await bench.end();
});
