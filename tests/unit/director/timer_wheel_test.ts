import assert from "node:assert/strict";
import fc from "fast-check";
import { TimerWheel, WHEEL_BUCKETS, WHEEL_TICK_MS } from "../../../director/timer_wheel.ts";

/** Rows of five words and one float. */
const WORDS = 5;

class Wheel {
  readonly fired: number[] = [];
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #wheel: TimerWheel;

  constructor(rows: number) {
    this.#words = new Int32Array((rows + 1) * WORDS);
    this.#times = new Float64Array(rows + 1);
    this.#wheel = new TimerWheel(
      new Int32Array(WHEEL_BUCKETS),
      {
        words: this.#words,
        stride: WORDS,
        next: 2,
        previous: 3,
        bucket: 4,
        times: this.#times,
        timeStride: 1,
        expiresMs: 0,
      },
      new Float64Array(1),
      0,
    );
  }

  set(row: number, expiresMs: number, nowMs: number): void {
    this.#wheel.set(row, expiresMs, nowMs);
  }

  stop(row: number): void {
    this.#wheel.stop(row);
  }

  advance(nowMs: number, onDue: (row: number) => void = () => {}): number[] {
    const last = Math.floor(nowMs / WHEEL_TICK_MS);
    const before = this.fired.length;
    for (let tick = Math.max(this.#wheel.tickAt(nowMs), last - WHEEL_BUCKETS + 1); tick <= last; tick++) {
      this.#wheel.step(tick, tick < last ? (tick + 1) * WHEEL_TICK_MS : nowMs, (row) => {
        this.fired.push(row);
        onDue(row);
      });
    }
    return this.fired.slice(before);
  }
}

Deno.test("timer wheel: fires at the first look at or after the time, never before", () => {
  const wheel = new Wheel(1);
  wheel.set(1, 12_345.5, 12_300);
  assert.deepEqual(wheel.advance(12_345.4), []);
  assert.deepEqual(wheel.advance(12_345.5), [1]);
  assert.deepEqual(wheel.advance(99_999), []);
});

Deno.test("timer wheel: a timer longer than a turn, and one that was brought forward", () => {
  const wheel = new Wheel(2);
  const turnMs = WHEEL_BUCKETS * WHEEL_TICK_MS;
  wheel.set(1, 3 * turnMs + 50, 0);
  wheel.set(2, 900_000, 0);
  wheel.set(2, 10_000, 500);
  assert.deepEqual(wheel.advance(10_000), [2]);
  for (let ms = 10_000; ms < 3 * turnMs; ms += 60_000) assert.deepEqual(wheel.advance(ms), []);
  assert.deepEqual(wheel.advance(3 * turnMs + 50), [1]);
});

Deno.test("timer wheel: after a long pause everything due fires at once", () => {
  const wheel = new Wheel(100);
  for (let row = 1; row <= 100; row++) wheel.set(row, row * 7_777, 0);
  const fired = wheel.advance(10 * WHEEL_BUCKETS * WHEEL_TICK_MS);
  assert.deepEqual(new Set(fired).size, 100);
});

Deno.test("timer wheel: a row set again while it fires is due again in time", () => {
  const wheel = new Wheel(1);
  wheel.set(1, 1_000, 0);
  assert.deepEqual(wheel.advance(1_000, () => wheel.set(1, 61_000, 1_000)), [1]);
  assert.deepEqual(wheel.advance(60_999), []);
  assert.deepEqual(wheel.advance(61_000), [1]);
});

Deno.test("timer wheel: rows that a firing one stops do not fire", () => {
  const wheel = new Wheel(4);
  for (let row = 1; row <= 4; row++) wheel.set(row, 1_000, 0);
  const fired = wheel.advance(1_000, (row) => {
    for (let other = 1; other <= 4; other++) if (other !== row) wheel.stop(other);
  });
  assert.equal(fired.length, 1);
});

const ROWS = 12;
const step = fc.oneof(
  fc.record({
    kind: fc.constant("set"),
    row: fc.integer({ min: 1, max: ROWS }),
    ms: fc.integer({ min: 0, max: 2_000_000 }),
  }),
  fc.record({ kind: fc.constant("stop"), row: fc.integer({ min: 1, max: ROWS }), ms: fc.constant(0) }),
  fc.record({ kind: fc.constant("advance"), row: fc.constant(0), ms: fc.integer({ min: 0, max: 300_000 }) }),
);

Deno.test("timer wheel: fires what a sorted list would, at every look", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 0, max: 10_000_000 }),
      (steps, startMs) => {
        const wheel = new Wheel(ROWS);
        const due = new Map<number, number>();
        let nowMs = startMs;
        wheel.advance(nowMs);
        for (const { kind, row, ms } of steps) {
          if (kind === "set") {
            wheel.set(row, nowMs + ms, nowMs);
            due.set(row, nowMs + ms);
          } else if (kind === "stop") {
            wheel.stop(row);
            due.delete(row);
          } else {
            nowMs += ms;
            const expected = [...due].filter(([, atMs]) => atMs <= nowMs).map(([waiting]) => waiting);
            for (const fired of expected) due.delete(fired);
            assert.deepEqual(
              wheel.advance(nowMs).toSorted((a, b) => a - b),
              expected.toSorted((a, b) => a - b),
            );
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});
