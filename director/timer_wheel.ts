/**
 * Timers of many rows at the cost of few: restarting one writes a number and nothing else.
 *
 * @module
 */

/** Width of a bucket: what is due fires at the first `advance` after it, so the width costs no precision. */
export const WHEEL_TICK_MS = 100;
/** 16,384 buckets of 100 ms reach 27 minutes, beyond the 15 of an established TCP connection. */
export const WHEEL_BUCKETS = 16_384;
const BUCKET_MASK = WHEEL_BUCKETS - 1;

/** Where the wheel finds a row's links and its time. */
export interface WheelRows {
  readonly words: Int32Array;
  readonly stride: number;
  /** Words of the row: the next and the previous row of its bucket, the bucket plus 1 (0: no timer). */
  readonly next: number;
  readonly previous: number;
  readonly bucket: number;
  readonly times: Float64Array;
  readonly timeStride: number;
  /** Float of the row that says when it is due, in ms. */
  readonly expiresMs: number;
}

/** What happens to a row whose time has come; it has no timer any more, and may get a new one. */
export type OnDue = (row: number, nowMs: number) => void;

/**
 * A hashed wheel with lazy re-insertion: a row's bucket may lie before its true time, never after. When the bucket
 * comes round the row moves on to where it belongs by then. Keeps its state in the arrays handed in.
 */
export class TimerWheel {
  readonly #heads: Int32Array;
  readonly #rows: WheelRows;
  readonly #state: Float64Array;
  readonly #tickIndex: number;

  /** `heads` has `WHEEL_BUCKETS` words; `state[tickIndex]` holds the tick reached, plus 1. */
  constructor(heads: Int32Array, rows: WheelRows, state: Float64Array, tickIndex: number) {
    this.#heads = heads;
    this.#rows = rows;
    this.#state = state;
    this.#tickIndex = tickIndex;
  }

  /** Starts or restarts a row's timer. */
  set(row: number, expiresMs: number, nowMs: number): void {
    if (this.#state[this.#tickIndex] === 0) this.tickAt(nowMs);
    const { words, stride, bucket, times, timeStride } = this.#rows;
    const time = row * timeStride + this.#rows.expiresMs;
    const before = times[time] ?? 0;
    times[time] = expiresMs;
    const current = words[row * stride + bucket] ?? 0;
    // The common case: a later end needs no other bucket.
    if (current !== 0 && expiresMs >= before) return;
    const wanted = this.#tickFor(expiresMs);
    if (current !== 0) {
      const done = (this.#state[this.#tickIndex] ?? 1) - 1;
      // Ticks from now until the bucket comes round; a bucket that comes at or before the wanted one is early enough.
      const comes = (current - 1 - done) & BUCKET_MASK;
      if (comes <= wanted - done) return;
      this.#unlink(row);
    }
    this.#link(row, wanted & BUCKET_MASK);
  }

  /** Takes a row's timer away. */
  stop(row: number): void {
    if ((this.#rows.words[row * this.#rows.stride + this.#rows.bucket] ?? 0) !== 0) this.#unlink(row);
  }

  /** The tick reached; the first call of a fresh wheel starts at `nowMs`. */
  tickAt(nowMs: number): number {
    if (this.#state[this.#tickIndex] === 0) {
      this.#state[this.#tickIndex] = Math.floor(nowMs / WHEEL_TICK_MS) + 1;
    }
    return (this.#state[this.#tickIndex] ?? 1) - 1;
  }

  /** Looks at the bucket of `tick` and fires what is due at `nowMs`. Ticks are given in order, none left out. */
  step(tick: number, nowMs: number, onDue: OnDue): void {
    const { words, stride, next, times, timeStride, expiresMs } = this.#rows;
    this.#state[this.#tickIndex] = tick + 1;
    let row = this.#heads[tick & BUCKET_MASK] ?? 0;
    while (row !== 0) {
      let following = words[row * stride + next] ?? 0;
      const due = times[row * timeStride + expiresMs] ?? 0;
      if (due <= nowMs) {
        this.#unlink(row);
        onDue(row, nowMs);
        // Whoever was called may have stopped the following row too: then begin again, the fired one is gone.
        if (following !== 0 && words[following * stride + this.#rows.bucket] !== (tick & BUCKET_MASK) + 1) {
          following = this.#heads[tick & BUCKET_MASK] ?? 0;
        }
      } else if (Math.floor(due / WHEEL_TICK_MS) > tick) {
        this.#unlink(row);
        this.#link(row, this.#tickFor(due) & BUCKET_MASK);
      }
      row = following;
    }
  }

  /** Tick of the bucket to wait in: never past, and no farther than one turn of the wheel. */
  #tickFor(expiresMs: number): number {
    const done = (this.#state[this.#tickIndex] ?? 1) - 1;
    const tick = Math.floor(expiresMs / WHEEL_TICK_MS);
    return tick < done ? done : tick > done + BUCKET_MASK ? done + BUCKET_MASK : tick;
  }

  #link(row: number, bucket: number): void {
    const { words, stride, next, previous } = this.#rows;
    const head = this.#heads[bucket] ?? 0;
    words[row * stride + next] = head;
    words[row * stride + previous] = 0;
    if (head !== 0) words[head * stride + previous] = row;
    words[row * stride + this.#rows.bucket] = bucket + 1;
    this.#heads[bucket] = row;
  }

  #unlink(row: number): void {
    const { words, stride, next, previous } = this.#rows;
    const after = words[row * stride + next] ?? 0;
    const before = words[row * stride + previous] ?? 0;
    if (before === 0) this.#heads[(words[row * stride + this.#rows.bucket] ?? 1) - 1] = after;
    else words[before * stride + next] = after;
    if (after !== 0) words[after * stride + previous] = before;
    words[row * stride + this.#rows.bucket] = 0;
  }
}
