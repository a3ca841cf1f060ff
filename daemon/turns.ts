/**
 * Changes one at a time: a reload and the commands of ipvsadm must not meet half-way.
 *
 * @module
 */

/** Runs what it is given in the order in which it was given. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves or rejects as `change` does; a rejection holds nobody else up. */
  run<Value>(change: () => Value | Promise<Value>): Promise<Value> {
    const result = this.#last.then(change);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
