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
const LONGEST_TIMEOUT_MS = 220;
/** From the start of an event to the packet. */
const LONGEST_START_MS = 40;

/** What a stall needs to know about the world around. */
export interface Surroundings {
  readonly clock: Clock;
  /** Time from which the conversation's destination is there for certain; undefined when it is not there. */
  reachableFromMs(conversation: Conversation): number | undefined;
}

/** The repetitions of one conversation, from the first drop until one comes through. */
export class Stall {
  readonly conversation: Conversation;
  readonly #around: Surroundings;
  readonly #startMs: number;
  #attempt = 1;
  #isOverdue = false;
  #isDoubtful = false;

  constructor(conversation: Conversation, around: Surroundings) {
    this.conversation = conversation;
    this.#around = around;
    this.#startMs = around.clock.nowMs();
    this.#await();
  }

  /** Whether the current repetition may be sent by then. */
  isPossibleBy(timeMs: number): boolean {
    return timeMs >= this.#earliestMs;
  }

  /** A repetition crossed with the coming or going of its destination, and nothing told yet whether it came through. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** The counters are right without the current repetition, so it is not made if it should be over by now. */
  passOver(): void {
    if (this.#isOverdue) this.#next(true);
  }

  #await(): void {
    const { clock } = this.#around;
    const nowMs = clock.nowMs();
    let fromMs: number | undefined;
    clock.after(this.#earliestMs - nowMs, () => {
      fromMs = this.#around.reachableFromMs(this.conversation);
    });
    clock.after(this.#startMs + LONGEST_START_MS + this.#attempt * LONGEST_TIMEOUT_MS - nowMs, () => {
      if (!this.conversation.isStalled) return;
      const wasThere = fromMs !== undefined;
      fromMs = this.#around.reachableFromMs(this.conversation);
      if (fromMs === undefined) this.#next(wasThere);
      else if (fromMs <= this.#earliestMs) this.conversation.repeat();
      else this.#isOverdue = true;
    });
  }

  get #earliestMs(): number {
    return this.#startMs + this.#attempt * SHORTEST_TIMEOUT_MS;
  }

  #next(isDoubtful: boolean): void {
    this.#isDoubtful ||= isDoubtful;
    this.#attempt *= 2;
    this.#isOverdue = false;
    this.#await();
  }
}
