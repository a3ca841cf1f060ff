/**
 * Runs one destination's check again and again: never two runs at once, never more than a free slot allows.
 *
 * @module
 */
import type { Clock, Timer } from "../clock.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { Check, CheckResult, Dialer } from "./check.ts";
import { CheckRun } from "./check_run.ts";
import type { CheckSlots, SlotRequest } from "./check_slots.ts";

/** What all schedules of a monitor share. */
export interface ScheduleSurroundings {
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly slots: CheckSlots;
}

/** What is checked; may be exchanged while a run is going on, and takes effect with the next one. */
export interface CheckJob {
  readonly check: Check;
  readonly target: Endpoint;
  readonly timeoutMs: number;
}

/** Hears the results and says how long to wait. */
export interface ScheduleOwner {
  /** A run was judged. */
  judged(result: CheckResult): void;
  /** From the start of a run to the start of the next, milliseconds, as of now. */
  pauseMs(): number;
}

/** The timer, the slot and the run of one destination's check. */
export class CheckSchedule {
  readonly #around: ScheduleSurroundings;
  readonly #owner: ScheduleOwner;
  #job: CheckJob;
  #dueMs = 0;
  #timer: Timer | undefined;
  #request: SlotRequest | undefined;
  #run: CheckRun | undefined;
  #stopped = false;

  constructor(around: ScheduleSurroundings, owner: ScheduleOwner, job: CheckJob, firstDelayMs: number) {
    this.#around = around;
    this.#owner = owner;
    this.#job = job;
    this.#wake(firstDelayMs);
  }

  /** Exchanges what is checked; a check already due sooner than the new pause stays due. */
  change(job: CheckJob): void {
    this.#job = job;
    this.hurry(this.#owner.pauseMs());
  }

  /** Sees to it that the next check starts within `delayMs`. One that runs or waits for a slot is soon enough. */
  hurry(delayMs: number): void {
    if (this.#timer !== undefined && this.#dueMs > this.#around.clock.nowMs() + delayMs) this.#wake(delayMs);
  }

  /** No more runs; the present one is given up. Resolves when it has let go of everything. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#request?.cancel();
    if (this.#run === undefined) return;
    if (this.#run.abandon()) this.#around.slots.release();
    await this.#run.ended;
  }

  #wake(delayMs: number): void {
    this.#timer?.cancel();
    this.#dueMs = this.#around.clock.nowMs() + delayMs;
    this.#timer = this.#around.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#due();
    });
  }

  #due(): void {
    const last = this.#run;
    if (last !== undefined && !last.over) this.#awaitEnd(last);
    else this.#request = this.#around.slots.request(() => this.#begin());
  }

  // A command in its grace period, or a check that ignores its signal: a second run beside it would pile up. Waiting for
  // it is one more try, with the same time-out.
  #awaitEnd(last: CheckRun): void {
    const { clock } = this.#around;
    const startedMs = clock.nowMs();
    const timer = clock.after(this.#job.timeoutMs, () => {
      this.#timer = undefined;
      this.#judge(startedMs, { up: false, reason: "timeout", detail: "the run before has not ended yet" });
    });
    this.#timer = timer;
    void last.ended.then(() => {
      if (this.#timer !== timer) return;
      timer.cancel();
      this.#timer = undefined;
      this.#due();
    });
  }

  #begin(): void {
    const { clock, dialer, slots } = this.#around;
    const startedMs = clock.nowMs();
    this.#run = new CheckRun({ ...this.#job, clock, dialer }, (result) => {
      slots.release();
      this.#judge(startedMs, result);
    });
  }

  #judge(startedMs: number, result: CheckResult): void {
    try {
      this.#owner.judged(result);
    } finally {
      // The owner's listener may have stopped this schedule, or thrown: neither may end the checks of a destination unnoticed.
      if (!this.#stopped) {
        this.#wake(Math.max(0, startedMs + this.#owner.pauseMs() - this.#around.clock.nowMs()));
      }
    }
  }
}
