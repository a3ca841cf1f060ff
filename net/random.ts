/**
 * Random numbers as a parameter: a seed makes a run repeatable.
 *
 * @module
 */

/** Source of random numbers. */
export interface Random {
  /** A whole number from 0 up to, not including, `limit` (1 to 2^32). */
  below(limit: number): number;
}

/**
 * Small, fast generator (sfc32 seeded by splitmix32), good enough to spread load and to repeat a test; not for secrets.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const first = new SeededRandom(7);
 * const second = new SeededRandom(7);
 * assert.equal(first.below(1_000), second.below(1_000));
 * ```
 */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    const mix = splitmix32(seed);
    this.#a = mix();
    this.#b = mix();
    this.#c = mix();
    for (let i = 0; i < 12; i++) this.#next();
  }

  below(limit: number): number {
    return Math.floor(this.#next() / 2 ** 32 * limit);
  }

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum | 0;
    return sum >>> 0;
  }
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) | 0;
  };
}
