/**
 * Hash chains over rows of a table, and the hash that picks one.
 *
 * @module
 */

/** Singly linked chains: a head for each, the link in each row. The newest row comes first. */
export class Chains {
  readonly #heads: Int32Array;
  readonly #words: Int32Array;
  readonly #stride: number;
  readonly #link: number;

  /** `heads.length` is a power of two; `link` is the word of a row that holds the next one. */
  constructor(heads: Int32Array, words: Int32Array, stride: number, link: number) {
    this.#heads = heads;
    this.#words = words;
    this.#stride = stride;
    this.#link = link;
  }

  /** First row of the chain that a hash falls into, 0 for none. */
  first(hash: number): number {
    return this.#heads[hash & (this.#heads.length - 1)] ?? 0;
  }

  next(row: number): number {
    return this.#words[row * this.#stride + this.#link] ?? 0;
  }

  /** How many chains there are. */
  get count(): number {
    return this.#heads.length;
  }

  /** Rows of the chain with this number; the one at hand may be removed. */
  *rows(chain: number): Generator<number> {
    let row = this.#heads[chain] ?? 0;
    while (row !== 0) {
      const following = this.next(row);
      yield row;
      row = following;
    }
  }

  push(row: number, hash: number): void {
    const chain = hash & (this.#heads.length - 1);
    this.#words[row * this.#stride + this.#link] = this.#heads[chain] ?? 0;
    this.#heads[chain] = row;
  }

  remove(row: number, hash: number): void {
    const chain = hash & (this.#heads.length - 1);
    const after = this.next(row);
    let other = this.#heads[chain] ?? 0;
    if (other === row) {
      this.#heads[chain] = after;
      return;
    }
    while (other !== 0) {
      const following = this.next(other);
      if (following === row) {
        this.#words[other * this.#stride + this.#link] = after;
        return;
      }
      other = following;
    }
  }
}

/** One number of an address's four words; IPv4 fills only the first. Takes numbers, for rows are signed and flows not. */
export function foldAddress(a: number, b: number, c: number, d: number): number {
  return a ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ Math.imul(d, 0x27d4eb2f);
}

/** Hash of three numbers under a secret seed; the rounds are those of MurmurHash3. */
export function mixHash(seed: number, a: number, b: number, c: number): number {
  let hash = Math.imul(a ^ seed, 0xcc9e2d51);
  hash = Math.imul((hash ^ (hash >>> 15)) ^ b, 0x85ebca6b);
  hash = Math.imul((hash ^ (hash >>> 13)) ^ c, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
