/**
 * How many checks run at once.
 *
 * @module
 */

/** A wish to run; cancelling one that has begun, or that was cancelled before, does nothing. */
export interface SlotRequest {
  cancel(): void;
}

/** A fixed number of slots, given out in the order of asking. */
export class CheckSlots {
  #free: number;
  readonly #waiting: Set<() => void> = new Set();

  constructor(slots: number) {
    this.#free = slots;
  }

  /** Calls `begin` as soon as a slot is free, at once if one is. Whoever begins calls {@linkcode release} later. */
  request(begin: () => void): SlotRequest {
    if (this.#free > 0) {
      this.#free--;
      begin();
      return { cancel: () => {} };
    }
    const entry = () => begin();
    this.#waiting.add(entry);
    return { cancel: () => void this.#waiting.delete(entry) };
  }

  /** Gives one slot back; the longest waiting request begins. */
  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
