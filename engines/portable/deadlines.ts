/**
 * Many deadlines on one timer: most are met long before, so a timer for each would be work for nothing.
 *
 * @module
 */
import type { Clock, Timer } from "../../clock.ts";

/** A timer this late, milliseconds, means that the program stood still: what was waited for may be there already. */
const STOOD_STILL_MS = 50;
/** Time for that to be handled, milliseconds: a timer of 0 fires before the runtime asks the system for news. */
const CATCH_UP_MS = 5;

/** Something that has to be finished by a time. */
export interface Due {
  /** Time of the clock, milliseconds. */
  readonly deadlineMs: number;
}

/**
 * Waits for the earliest of its items. An item that is taken out in time costs no timer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ManualClock } from "../../clock.ts";
 *
 * const clock = new ManualClock();
 * const missed: string[] = [];
 * const deadlines = new Deadlines<{ name: string; deadlineMs: number }>(clock, (it) => missed.push(it.name));
 * const first = { name: "first", deadlineMs: 100 };
 * deadlines.add(first);
 * deadlines.add({ name: "second", deadlineMs: 200 });
 * deadlines.delete(first);
 * clock.advance(250);
 * assert.deepEqual(missed, ["second"]);
 * ```
 */
export class Deadlines<T extends Due> {
  readonly #clock: Clock;
  readonly #missed: (item: T) => void;
  readonly #items = new Set<T>();
  #timer: Timer | undefined;
  #timerAtMs = Infinity;

  constructor(clock: Clock, missed: (item: T) => void) {
    this.#clock = clock;
    this.#missed = missed;
  }

  add(item: T): void {
    this.#items.add(item);
    this.#waitUntil(item.deadlineMs);
  }

  delete(item: T): void {
    this.#items.delete(item);
  }

  get size(): number {
    return this.#items.size;
  }

  #waitUntil(atMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => this.#fire());
  }

  /** @param isSure the events that came while the program stood still have been handled */
  #fire(isSure = false): void {
    const nowMs = this.#clock.nowMs();
    if (!isSure && nowMs - this.#timerAtMs > STOOD_STILL_MS) {
      this.#timer = this.#clock.after(CATCH_UP_MS, () => this.#fire(true));
      return;
    }
    this.#timerAtMs = Infinity;
    let nextMs = Infinity;
    for (const item of this.#items) {
      if (item.deadlineMs <= nowMs) {
        this.#items.delete(item);
        this.#missed(item);
      } else if (item.deadlineMs < nextMs) nextMs = item.deadlineMs;
    }
    if (nextMs < Infinity) this.#waitUntil(nextMs);
  }

  /** Forgets everything. */
  clear(): void {
    this.#items.clear();
    this.#timer?.cancel();
    this.#timerAtMs = Infinity;
  }
}
