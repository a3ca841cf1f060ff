/**
 * When the main thread is told that events wait for it: soon, and not for each of them.
 *
 * @module
 */
import type { EventWriter } from "./event_ring.ts";

/**
 * How long an event may wait for company on its way to the main thread: each time it is told costs both threads some 200 us,
 * a fiftieth of everything at 50 times a second.
 */
const EVENT_DELAY_MS = 100;
/** The same for what makes a destination go down. */
const PRESSING_DELAY_MS = 20;

/** Tells by `say`. Times are those of `performance.now()`. */
export class EventNews {
  readonly #events: EventWriter;
  readonly #say: () => void;
  /** When the events that wait have to be announced. */
  dueMs = Infinity;

  constructor(events: EventWriter, say: () => void) {
    this.#events = events;
    this.#say = say;
  }

  /** Once a turn. @param isUrgent somebody waits for what comes */
  look(nowMs: number, isUrgent: boolean): void {
    if (!this.#events.hasNews) {
      // The main thread may have looked by itself.
      this.dueMs = Infinity;
      return;
    }
    const delayMs = this.#events.isPressing ? PRESSING_DELAY_MS : EVENT_DELAY_MS;
    this.dueMs = Math.min(this.dueMs, nowMs + delayMs);
    if (nowMs >= this.dueMs || this.#events.isUrgent || isUrgent) this.announce();
  }

  announce(): void {
    this.dueMs = Infinity;
    if (!this.#events.hasNews) return;
    this.#events.announced();
    this.#say();
  }
}
