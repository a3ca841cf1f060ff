import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import type { Clock, Timer } from "../../../clock.ts";
import { Deadlines } from "../../../engines/portable/deadlines.ts";

interface Item {
  readonly name: string;
  deadlineMs: number;
}

function setting(): { clock: ManualClock; missed: string[]; deadlines: Deadlines<Item> } {
  const clock = new ManualClock();
  const missed: string[] = [];
  return { clock, missed, deadlines: new Deadlines<Item>(clock, (it) => missed.push(it.name)) };
}

Deno.test("deadlines fire in time, the earlier ones first, whatever the order they came in", () => {
  const { clock, missed, deadlines } = setting();
  deadlines.add({ name: "late", deadlineMs: 300 });
  deadlines.add({ name: "early", deadlineMs: 100 });
  clock.advance(99);
  assert.deepEqual(missed, []);
  clock.advance(1);
  assert.deepEqual(missed, ["early"]);
  clock.advance(200);
  assert.deepEqual(missed, ["early", "late"]);
  assert.equal(clock.pendingTimers, 0);
});

Deno.test("any number of deadlines wait on one timer", () => {
  const { clock, deadlines } = setting();
  for (let i = 0; i < 1_000; i++) deadlines.add({ name: "", deadlineMs: 100 + i });
  assert.equal(clock.pendingTimers, 1);
  deadlines.clear();
  assert.equal(clock.pendingTimers, 0);
});

Deno.test("an item may be added again while it is missed", () => {
  const clock = new ManualClock();
  let misses = 0;
  const deadlines: Deadlines<Item> = new Deadlines<Item>(clock, (it) => {
    if (++misses === 3) return;
    it.deadlineMs += 100;
    deadlines.add(it);
  });
  deadlines.add({ name: "again", deadlineMs: 100 });
  clock.advance(1_000);
  assert.equal(misses, 3);
  assert.equal(deadlines.size, 0);
});

/** Time goes on while nobody is served, as when a laptop sleeps. */
class SleepyClock implements Clock {
  nowIsMs = 0;
  readonly due: (() => void)[] = [];

  nowMs(): number {
    return this.nowIsMs;
  }

  wallMs(): number {
    return 0;
  }

  after(_delayMs: number, run: () => void): Timer {
    this.due.push(run);
    return { cancel: () => {} };
  }
}

Deno.test("after a standstill, what came meanwhile is let in before a deadline counts as missed", () => {
  const clock = new SleepyClock();
  const missed: string[] = [];
  const deadlines = new Deadlines<Item>(clock, (it) => missed.push(it.name));
  const answered = { name: "answered", deadlineMs: 100 };
  deadlines.add(answered);
  deadlines.add({ name: "silent", deadlineMs: 100 });
  clock.nowIsMs = 60_000;
  clock.due.shift()?.();
  assert.deepEqual(missed, []);
  deadlines.delete(answered);
  clock.due.shift()?.();
  assert.deepEqual(missed, ["silent"]);
});
