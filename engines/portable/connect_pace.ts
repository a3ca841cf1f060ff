/**
 * How many connects are begun before the program looks for their answers.
 *
 * @module
 */
import type { Clock, Timer } from "../../clock.ts";
import { LIMITS } from "../../limits.ts";

/**
 * All that waits in a listener's backlog is accepted at once. Connecting all of it at once too takes seconds where the
 * processor is busy elsewhere: the first connects are then past their time-out before their answers are read. So after
 * `LIMITS.freshConnects` the rest waits for answers. Servers that never answer hold nobody up for long: connects that are
 * older than `LIMITS.freshConnectMs` no longer count.
 */
export class ConnectPace {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #fresh = 0;
  #soon: Timer | undefined;
  #later: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one more connect may begin now. */
  get hasRoom(): boolean {
    return this.#fresh < LIMITS.freshConnects;
  }

  begin(): void {
    this.#fresh++;
  }

  /** A connect was answered, or given up. */
  settled(): void {
    // Those that no longer count are forgotten already.
    if (this.#fresh > 0) this.#fresh--;
    if (this.#waiting.size > 0) this.#resumeSoon();
  }

  /** Calls `resume` once there may be room again; called again and again, it is called once. */
  wait(resume: () => void): void {
    this.#waiting.add(resume);
    if (this.hasRoom) {
      this.#resumeSoon();
      return;
    }
    // In two steps: the first may be over before the program has come to read a single answer.
    this.#later ??= this.#clock.after(LIMITS.freshConnectMs / 2, () => {
      this.#later = this.#clock.after(LIMITS.freshConnectMs / 2, () => {
        this.#later = undefined;
        this.#fresh = 0;
        this.#resume();
      });
    });
  }

  /** Not here and now: it may be in the middle of something. */
  #resumeSoon(): void {
    this.#soon ??= this.#clock.after(0, () => {
      this.#soon = undefined;
      this.#resume();
    });
  }

  #resume(): void {
    const waiting = [...this.#waiting];
    this.#forgetAll();
    for (const it of waiting) it();
  }

  /** Nobody waits any more. */
  forget(resume: () => void): void {
    if (this.#waiting.delete(resume) && this.#waiting.size === 0) this.#forgetAll();
  }

  #forgetAll(): void {
    this.#waiting.clear();
    this.#soon?.cancel();
    this.#later?.cancel();
    this.#soon = this.#later = undefined;
  }
}
