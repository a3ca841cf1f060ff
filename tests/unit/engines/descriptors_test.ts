import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import { AcceptRecovery } from "../../../engines/portable/accept_recovery.ts";
import { DescriptorWatch, isDescriptorLeft } from "../../../engines/portable/descriptor_watch.ts";
import { countDescriptors, Descriptors } from "../../../engines/portable/descriptors.ts";
import { LIMITS } from "../../../limits.ts";

Deno.test("an eighth stays free, a backlog fits into that, and a little more", () => {
  for (const limit of [256, 1_024, 20_000, 65_536]) {
    const descriptors = new Descriptors({ limit, open: 30 });
    assert.equal(descriptors.room, limit - 30 - Math.min(Math.floor(limit / 8), LIMITS.spareDescriptorsMost));
    assert.ok(descriptors.room + descriptors.backlog < limit - 30);
  }
});

Deno.test("without a known limit there is room, until none was left once", () => {
  const descriptors = new Descriptors({ limit: Infinity, open: 0 });
  assert.equal(descriptors.backlog, LIMITS.tcpBacklogConnections);
  descriptors.take(100_000);
  assert.ok(descriptors.hasRoomFor(2));
  descriptors.ranOut();
  assert.ok(!descriptors.hasRoomFor(1));
  descriptors.give(2);
  assert.ok(descriptors.hasRoomFor(2));
});

Deno.test(
  "the process's descriptors are counted where /proc tells",
  { ignore: Deno.build.os !== "linux" },
  () => {
    const { limit, open } = countDescriptors();
    assert.ok(open > 3 && limit > open, `${open} of ${limit}`);
    assert.ok(isDescriptorLeft());
  },
);

Deno.test("the watch looks again and again, and leaves no timer", () => {
  const clock = new ManualClock();
  let isLeft = true;
  let shortages = 0;
  const watch = new DescriptorWatch(clock, () => shortages++, () => isLeft);
  watch.start();
  clock.advance(10 * LIMITS.acceptBackOffMs);
  assert.equal(shortages, 0);
  isLeft = false;
  clock.advance(3 * LIMITS.acceptBackOffMs);
  assert.equal(shortages, 3);
  watch.stop();
  assert.equal(clock.pendingTimers, 0);
});

Deno.test("a listener is opened anew once the shortage is over, and again if that fails", async () => {
  const clock = new ManualClock();
  const attempts: number[] = [];
  const recovery = new AcceptRecovery(clock, () => {
    attempts.push(clock.nowMs());
    return attempts.length < 2 ? Promise.reject(new Error("still none left")) : Promise.resolve();
  });
  const step = LIMITS.acceptBackOffMs / 2;
  for (let i = 0; i < 6; i++) {
    recovery.shortageSeen();
    clock.advance(step);
  }
  assert.deepEqual(attempts, [], "while the shortage lasts");
  for (let i = 0; i < 8; i++) {
    clock.advance(step);
    // Lets the rejection be heard.
    await Promise.resolve();
    await Promise.resolve();
  }
  assert.equal(attempts.length, 2);
  recovery.shortageSeen();
  recovery.cancel();
  recovery.shortageSeen();
  assert.equal(clock.pendingTimers, 0);
});
