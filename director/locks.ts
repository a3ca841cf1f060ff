/**
 * Lock words in the store. A word holds its owner's number, so a dead owner can be told from a slow one.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";

/** Tries before the thread sleeps: a decision holds its lock for about a microsecond. */
const SPINS = 2_000;
/** Sleep between tries once spinning was in vain; nobody wakes the sleeper. */
const SLEEP_MS = 1;

/** One thread's hand on the lock words of a store. */
export class Locks {
  readonly #owner: number;
  readonly #shared: boolean;
  readonly #patienceMs: number;

  /**
   * @param worker number of this thread, from 0; one number for each thread
   * @param options `shared`: other threads use the words too; `patienceMs`: how long to wait before giving up, for
   * the thread that has to notice dead owners and must not wait for one (default: for ever)
   */
  constructor(worker: number, options: { shared: boolean; patienceMs?: number }) {
    this.#owner = ownerOf(worker);
    this.#shared = options.shared;
    this.#patienceMs = options.patienceMs ?? Infinity;
  }

  /** @throws {DirectorError} `EBUSY` when the holder keeps it longer than `patienceMs`. */
  lock(words: Int32Array, index: number): void {
    if (this.#shared ? Atomics.compareExchange(words, index, 0, this.#owner) !== 0 : words[index] !== 0) {
      this.#wait(words, index);
    } else if (!this.#shared) {
      words[index] = this.#owner;
    }
  }

  /** Takes the lock if it is free. */
  tryLock(words: Int32Array, index: number): boolean {
    return Atomics.compareExchange(words, index, 0, this.#owner) === 0;
  }

  unlock(words: Int32Array, index: number): void {
    if (this.#shared) Atomics.store(words, index, 0);
    else words[index] = 0;
  }

  #wait(words: Int32Array, index: number): void {
    const holder = Atomics.load(words, index);
    // One thread, or this thread itself: waiting would never end.
    if (!this.#shared || holder === this.#owner) {
      throw new DirectorError(
        "EDEADLK",
        `lock ${index} is already held by this thread (${holder}); this is a defect`,
      );
    }
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.compareExchange(words, index, 0, this.#owner) === 0) return;
    }
    for (let waitedMs = 0; waitedMs < this.#patienceMs; waitedMs += SLEEP_MS) {
      const current = Atomics.load(words, index);
      if (current !== 0) Atomics.wait(words, index, current, SLEEP_MS);
      if (Atomics.compareExchange(words, index, 0, this.#owner) === 0) return;
    }
    const worker = Atomics.load(words, index) - 1;
    throw new DirectorError(
      "EBUSY",
      `worker ${worker} holds a lock for more than ${this.#patienceMs} ms; it is stuck or dead`,
      { worker },
    );
  }
}

/** What a thread writes into a lock word: 0 means free. */
export function ownerOf(worker: number): number {
  return worker + 1;
}

/** Frees the word if `owner`, a thread that is known to be dead, holds it; says whether it did. */
export function breakLock(words: Int32Array, index: number, owner: number): boolean {
  return Atomics.compareExchange(words, index, owner, 0) === owner;
}
