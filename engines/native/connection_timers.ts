/**
 * One deadline for each connection: to connect, to send a PROXY header, not to be quiet for too long.
 *
 * @module
 */
import { TimerWheel, WHEEL_BUCKETS, WHEEL_TICK_MS } from "../../director/timer_wheel.ts";

const LINK = { next: 0, previous: 1, bucket: 2 } as const;
const LINKS = 3;

/** The director's timer wheel over connection numbers, from 1. A deadline fires within `WHEEL_TICK_MS` after it. */
export class ConnectionTimers {
  readonly #wheel: TimerWheel;
  readonly #words: Int32Array;
  readonly #missed: (connection: number, nowMs: number) => void;
  #pending = 0;

  /** @param capacity highest number; memory is touched only for numbers in use */
  constructor(capacity: number, missed: (connection: number, nowMs: number) => void) {
    const rows = capacity + 1;
    this.#missed = missed;
    this.#words = new Int32Array(rows * LINKS);
    const layout = { ...LINK, stride: LINKS, words: this.#words };
    const times = { times: new Float64Array(rows), timeStride: 1, expiresMs: 0 };
    this.#wheel = new TimerWheel(
      new Int32Array(WHEEL_BUCKETS),
      { ...layout, ...times },
      new Float64Array(1),
      0,
    );
  }

  /** How many deadlines are pending. */
  get pending(): number {
    return this.#pending;
  }

  set(connection: number, deadlineMs: number, nowMs: number): void {
    if (!this.#isSet(connection)) this.#pending++;
    this.#wheel.set(connection, deadlineMs, nowMs);
  }

  stop(connection: number): void {
    if (!this.#isSet(connection)) return;
    this.#pending--;
    this.#wheel.stop(connection);
  }

  /** Fires what is due. */
  advance(nowMs: number): void {
    const last = Math.floor(nowMs / WHEEL_TICK_MS);
    const from = Math.max(this.#wheel.tickAt(nowMs), last - WHEEL_BUCKETS + 1);
    for (let tick = from; tick <= last; tick++) this.#wheel.step(tick, nowMs, this.#due);
  }

  readonly #due = (connection: number, nowMs: number): void => {
    this.#pending--;
    this.#missed(connection, nowMs);
  };

  #isSet(connection: number): boolean {
    return this.#words[connection * LINKS + LINK.bucket] !== 0;
  }
}
