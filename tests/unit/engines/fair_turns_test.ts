/** Breaks in which readers stop. */
import assert from "node:assert/strict";
import { FairTurns } from "../../../engines/portable/fair_turns.ts";
import { LIMITS } from "../../../limits.ts";

/** Turns that are over when told. */
class Turns {
  readonly fair = new FairTurns((callback) => this.#waiting.push(callback));
  readonly #waiting: (() => void)[] = [];
  started = 0;

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** So many sockets read. @returns how many of them have to stop */
  read(times: number): number {
    let stops = 0;
    for (let i = 0; i < times; i++) if (this.fair.hasToStop(this.reader())) stops++;
    return stops;
  }

  reader(): { readStart(): void } {
    return { readStart: () => void this.started++ };
  }

  /** The turn is over. */
  end(): void {
    for (const it of this.#waiting.splice(0)) it();
  }
}

const UNTIL = LIMITS.readersUntilBreak;

/** At the beginning of a break. */
function breaking(): Turns {
  const turns = new Turns();
  turns.read(UNTIL);
  turns.read(64);
  turns.end();
  return turns;
}

Deno.test("fair turns: where many read, all of them stop once in a while", () => {
  const turns = new Turns();
  assert.equal(turns.read(UNTIL - 1), 0);
  assert.equal(turns.isWaiting, false);
  assert.equal(turns.read(65), 0);
  turns.end();
  assert.equal(turns.read(300), 300);
});

Deno.test("fair turns: where few read, nobody stops", () => {
  const turns = new Turns();
  for (let i = 0; i < 10; i++) {
    turns.read(UNTIL);
    turns.read(63);
    turns.end();
    assert.equal(turns.isWaiting, false);
  }
  assert.equal(turns.read(1), 0);
});

Deno.test("fair turns: a stream that reads and reads counts once", () => {
  const turns = new Turns();
  const reader = turns.reader();
  for (let i = 0; i < 3 * UNTIL; i++) assert.equal(turns.fair.hasToStop(reader), false);
  assert.equal(turns.isWaiting, false);
});

Deno.test("fair turns: a break is over with the first turn of few readers, and all that stopped go on", () => {
  const turns = breaking();
  turns.read(500);
  turns.end();
  turns.read(64);
  turns.end();
  assert.equal(turns.started, 0);
  turns.read(63);
  turns.end();
  assert.equal(turns.started, 627);
  assert.equal(turns.isWaiting, false);
  assert.equal(turns.read(UNTIL - 1), 0);
});

Deno.test("fair turns: breaks that nobody waited for become rare, those that somebody did come soon again", () => {
  const turns = new Turns();
  /** Readers until the next break, which lets so many others through. */
  const next = (others: number) => {
    let readers = 0;
    for (; !turns.isWaiting; readers++) turns.read(1);
    turns.read(64);
    turns.end();
    for (let i = 0; i < others; i++) turns.fair.otherDone();
    turns.end();
    return readers;
  };
  assert.deepEqual([0, 0, 7, 0, 0, 0, 8, 0, 8].map(next), [
    UNTIL,
    2 * UNTIL,
    4 * UNTIL,
    8 * UNTIL,
    16 * UNTIL,
    16 * UNTIL,
    16 * UNTIL,
    UNTIL,
    2 * UNTIL,
  ]);
});

Deno.test("fair turns: a break goes on while a burst comes in", () => {
  const turns = breaking();
  turns.read(1);
  for (let turn = 0; turn < 5; turn++) {
    for (let i = 0; i < 32; i++) turns.fair.otherDone();
    turns.end();
    assert.equal(turns.started, 0);
  }
  for (let i = 0; i < 31; i++) turns.fair.otherDone();
  turns.end();
  assert.equal(turns.started, 1);
});

Deno.test("fair turns: a break that gets no quiet turn is given up", () => {
  const turns = breaking();
  let ends = 0;
  for (; turns.started === 0; ends++) {
    turns.read(64);
    turns.end();
    assert.ok(ends < 100);
  }
  assert.equal(turns.started, ends * 64);
});
