/**
 * How often the log is told of one trouble that is looked at again and again.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { LIMITS } from "../limits.ts";

/**
 * One trouble: each change of it is worth a line, the same again one per `LIMITS.sameComplaintMs`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ManualClock } from "../clock.ts";
 * import { LIMITS } from "../limits.ts";
 *
 * const clock = new ManualClock();
 * const complaints = new Complaints(clock);
 * assert.deepEqual(["no name", "no name", "no answer"].map((it) => complaints.isDue(it)), [true, false, true]);
 * clock.advance(LIMITS.sameComplaintMs);
 * assert.equal(complaints.isDue("no answer"), true);
 * ```
 */
export class Complaints {
  readonly #clock: Clock;
  #last = "";
  #dueMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the problem is to be written now; if so, it counts as written. */
  isDue(problem: string): boolean {
    const nowMs = this.#clock.nowMs();
    if (problem === this.#last && nowMs < this.#dueMs) return false;
    this.#last = problem;
    this.#dueMs = nowMs + LIMITS.sameComplaintMs;
    return true;
  }
}
