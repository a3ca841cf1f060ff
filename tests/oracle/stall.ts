/**
 * When a client's TCP sends again what was dropped. A recording tells when the client did something, not when its kernel
 * repeated it, and such a repetition changes counters once the destination is back.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { Conversation } from "./conversation.ts";

/**
 * Retransmission time-out of a short path: TCP_RTO_MIN of 200 ms, rounded up to jiffies of 4 ms, plus the variance of a slow
 * virtual machine. The first repetition comes after one time-out, the next ones after 2, 4, 8 ... of them.
 */
const SHORTEST_TIMEOUT_MS = 200;
const LONGEST_TIMEOUT_MS = 214;
/** From the start of an event to the packet. */
const LONGEST_START_MS = 25;

/** What a stall needs to know about the world around. */
export interface Surroundings {
  readonly clock: Clock;
  /** Whether the conversation's destination is there again. */
  isReachable(conversation: Conversation): boolean;
}

/** The repetitions of one conversation, from the first drop until one comes through. */
export class Stall {
  readonly conversation: Conversation;
  readonly #around: Surroundings;
  readonly #startMs: number;
  #attempt = 1;
  #mayBeSent = false;
  #isOverdue = false;

  constructor(conversation: Conversation, around: Surroundings) {
    this.conversation = conversation;
    this.#around = around;
    this.#startMs = around.clock.nowMs();
    this.#await();
  }

  /** The current repetition may be on the wire by now, and would come through. */
  get isPossible(): boolean {
    return this.#mayBeSent && this.conversation.isStalled && this.#around.isReachable(this.conversation);
  }

  /** Whether the current repetition may be sent by then. */
  isPossibleBy(timeMs: number): boolean {
    return timeMs >= this.#earliestMs;
  }

  /** The counters show that a repetition of which it was not clear did not come through. */
  passOver(): void {
    if (this.#isOverdue) this.#next();
  }

  #await(): void {
    const { clock } = this.#around;
    const nowMs = clock.nowMs();
    let wasReachable = false;
    clock.after(this.#earliestMs - nowMs, () => {
      this.#mayBeSent = true;
      wasReachable = this.#around.isReachable(this.conversation);
    });
    clock.after(this.#startMs + LONGEST_START_MS + this.#attempt * LONGEST_TIMEOUT_MS - nowMs, () => {
      if (!this.conversation.isStalled) return;
      const isReachable = this.#around.isReachable(this.conversation);
      if (wasReachable && isReachable) this.conversation.repeat();
      else if (isReachable) this.#isOverdue = true; // it came back meanwhile: before or after the packet?
      else this.#next();
    });
  }

  get #earliestMs(): number {
    return this.#startMs + this.#attempt * SHORTEST_TIMEOUT_MS;
  }

  #next(): void {
    this.#attempt *= 2;
    this.#mayBeSent = false;
    this.#isOverdue = false;
    this.#await();
  }
}
