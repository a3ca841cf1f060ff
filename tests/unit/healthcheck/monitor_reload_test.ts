import assert from "node:assert/strict";
import { LIMITS } from "../../../limits.ts";
import { IpAddress } from "../../../net/address.ts";
import { Bench, watch } from "./monitor_bench.ts";
import { flush, pass, REFUSED, UP } from "./scripted_check.ts";

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
  assert.deepEqual(bench.summary(), ["a up->down refused", "a down->up admin-reset"]);
  await pass(bench.clock, 10);
  assert.equal(check.startedMs.length, 2);
  assert.equal(bench.monitor.snapshot("a")?.state, "up");
  await bench.end();
});
