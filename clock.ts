/**
 * Clocks. Everything that measures time takes one of these as a parameter, so that a test can move time itself.
 *
 * Times are monotonic milliseconds with an arbitrary zero: differences mean something, absolute values do not.
 * Wall-clock time is for people to read and is asked for separately (`wallMs`).
 *
 * @module
 */

/** A pending call made by {@linkcode Clock.after}; cancelling it twice is harmless. */
export interface Timer {
  cancel(): void;
}

/** Source of time. */
export interface Clock {
  /** Monotonic milliseconds, fractions included. */
  nowMs(): number;
  /** Milliseconds since 1970, for logs and status only. */
  wallMs(): number;
  /** Calls `run` once, `delayMs` from now. A delay of 0 still waits for the current work to end. */
  after(delayMs: number, run: () => void): Timer;
}

/** The computer's own clock. Its timers never keep the process alive when `unref` is set. */
export class SystemClock implements Clock {
  readonly #unref: boolean;

  /** @param options `unref`: let the process end while timers are pending (default false). */
  constructor(options: { unref?: boolean } = {}) {
    this.#unref = options.unref ?? false;
  }

  nowMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, run: () => void): Timer {
    const id = setTimeout(run, delayMs);
    if (this.#unref) Deno.unrefTimer(id);
    return { cancel: () => clearTimeout(id) };
  }
}

/**
 * A clock that stands still until it is told to move.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const clock = new ManualClock();
 * let fired = 0;
 * clock.after(1_000, () => fired++);
 * clock.advance(999);
 * assert.equal(fired, 0);
 * clock.advance(1);
 * assert.equal(fired, 1);
 * ```
 */
export class ManualClock implements Clock {
  #nowMs: number;
  #sequence = 0;
  #pending: { atMs: number; sequence: number; run: () => void }[] = [];

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence++, run };
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== entry);
      },
    };
  }

  /** Moves time forward, firing what falls due in order of due time; timers set meanwhile fire too when due. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      this.#pending.sort((a, b) => a.atMs - b.atMs || a.sequence - b.sequence);
      const next = this.#pending[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#pending.shift();
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = untilMs;
  }

  /** How many timers are waiting; a test asks this to prove that nothing was left behind. */
  get pendingTimers(): number {
    return this.#pending.length;
  }
}
