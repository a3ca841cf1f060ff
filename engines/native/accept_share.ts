/**
 * Which of the workers takes a client: all accept from one listener, and each is to have about as many connections.
 *
 * @module
 */
import type { EngineMemory } from "./engine_memory.ts";

/** Accepts of one turn: the connections there are get their turn before another burst is taken in. */
const ACCEPTS_PER_TURN = 64;
/** Of a worker that has more than its share: the rest of a burst is for the others, unless they are too busy to come. */
const ACCEPTS_BEYOND_SHARE = 4;
/** An eighth more than another has is no more than its share: stepping back costs two system calls. */
const EVEN_ENOUGH = 1.125;

/** One worker's share of the connections of a service. */
export class AcceptShare {
  readonly #memory: EngineMemory;
  readonly #worker: number;
  readonly #slot: number;

  constructor(memory: EngineMemory, worker: number, slot: number) {
    this.#memory = memory;
    this.#worker = worker;
    this.#slot = slot;
  }

  /** Whether it may accept one more in this turn, in which it has accepted so many. */
  mayAccept(accepted: number): boolean {
    return accepted < ACCEPTS_BEYOND_SHARE || (accepted < ACCEPTS_PER_TURN && !this.isExceeded);
  }

  /** Another worker has fewer, by more than may be. */
  get isExceeded(): boolean {
    const own = this.#memory.liveIn(this.#worker, this.#slot);
    return own > this.#memory.leastLive(this.#slot) * EVEN_ENOUGH;
  }
}
