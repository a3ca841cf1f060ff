/**
 * Opens a listener anew after a shortage of file descriptors: it may have stopped accepting for good (`descriptors.ts`).
 *
 * @module
 */
import type { Clock, Timer } from "../../clock.ts";
import { LIMITS } from "../../limits.ts";

/** Belongs to one listener. */
export class AcceptRecovery {
  readonly #clock: Clock;
  readonly #reopen: () => Promise<void>;
  #shortAtMs = -Infinity;
  #timer: Timer | undefined;
  #isCancelled = false;

  /** @param reopen rejects when it has to be tried again */
  constructor(clock: Clock, reopen: () => Promise<void>) {
    this.#clock = clock;
    this.#reopen = reopen;
  }

  /** The process is out of descriptors now; recovery starts when that has not been so for `LIMITS.acceptBackOffMs`. */
  shortageSeen(): void {
    this.#shortAtMs = this.#clock.nowMs();
    this.#wait();
  }

  #wait(): void {
    if (this.#isCancelled) return;
    this.#timer ??= this.#clock.after(LIMITS.acceptBackOffMs, () => {
      this.#timer = undefined;
      if (this.#clock.nowMs() < this.#shortAtMs + LIMITS.acceptBackOffMs) this.#wait();
      else this.#reopen().catch(() => this.#wait());
    });
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#timer?.cancel();
  }
}
