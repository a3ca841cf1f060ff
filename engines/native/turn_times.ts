/**
 * How long the turns of the workers' loops take: how busy a worker is, and for how long a client may have had to wait for it.
 *
 * @module
 */

/** The longest turn is remembered for once or twice that long: a scrape every 15 s, as is usual, misses few. */
const WINDOW_MS = 10_000;

/** Numbers of a worker: a cache line, so that workers do not write into each other's. */
const TIMES = { turns: 0, busyMs: 1, windowMs: 2, longestMs: 3, longestBeforeMs: 4, count: 8 } as const;

/** What is known of a worker's turns. */
export interface WorkerTimes {
  /** From 1. */
  readonly worker: number;
  /** Since the engine began, a dead worker's included. */
  readonly turns: number;
  /** All that time it was not waiting: it worked, collected garbage, or had its processor taken away. */
  readonly busySeconds: number;
  /** The longest of the last 10 to 20 seconds. */
  readonly longestTurnSeconds: number;
}

/** Each worker writes its own part, any thread reads. Times of windows are those of the engine's clock. */
export class TurnTimes {
  readonly #times: Float64Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer) {
    this.#times = new Float64Array(buffer);
  }

  /** Memory for workers with the numbers from 1. */
  static createBuffer(workers: number): SharedArrayBuffer {
    return new SharedArrayBuffer(workers * TIMES.count * Float64Array.BYTES_PER_ELEMENT);
  }

  /** A turn is over. */
  add(worker: number, tookMs: number, nowMs: number): void {
    const times = this.#times;
    const base = (worker - 1) * TIMES.count;
    if (nowMs - (times[base + TIMES.windowMs] ?? 0) >= WINDOW_MS) this.#turnWindow(base, nowMs);
    times[base + TIMES.turns] = (times[base + TIMES.turns] ?? 0) + 1;
    times[base + TIMES.busyMs] = (times[base + TIMES.busyMs] ?? 0) + tookMs;
    if (tookMs > (times[base + TIMES.longestMs] ?? 0)) times[base + TIMES.longestMs] = tookMs;
  }

  #turnWindow(base: number, nowMs: number): void {
    const times = this.#times;
    const isNext = nowMs - (times[base + TIMES.windowMs] ?? 0) < 2 * WINDOW_MS;
    times[base + TIMES.longestBeforeMs] = isNext ? times[base + TIMES.longestMs] ?? 0 : 0;
    times[base + TIMES.longestMs] = 0;
    times[base + TIMES.windowMs] = nowMs;
  }

  /** Those that have run. */
  all(nowMs: number): WorkerTimes[] {
    const workers = Array.from(
      { length: this.#times.length / TIMES.count },
      (_, i) => this.#of(i + 1, nowMs),
    );
    return workers.filter(({ turns }) => turns > 0);
  }

  #of(worker: number, nowMs: number): WorkerTimes {
    const base = (worker - 1) * TIMES.count;
    const [turns = 0, busyMs = 0, windowMs = 0, longestMs = 0, longestBeforeMs = 0] = this.#times.subarray(
      base,
    );
    // A worker that sleeps does not move its window.
    const ageMs = nowMs - windowMs;
    const lately = ageMs < WINDOW_MS
      ? Math.max(longestMs, longestBeforeMs)
      : ageMs < 2 * WINDOW_MS
      ? longestMs
      : 0;
    return { worker, turns, busySeconds: busyMs / 1_000, longestTurnSeconds: lately / 1_000 };
  }
}
