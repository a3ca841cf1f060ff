/**
 * A bounded table of source networks with two numbers each. Nothing is allocated per look-up; the table doubles up to its
 * bound, and then the least recently used source gives way.
 *
 * @module
 */
import type { Family } from "../net/address.ts";

/** Slots that a table begins with. */
const FIRST_SLOTS = 64;
const NONE = -1;

/** Maps a source network to a slot. */
export class SourceTable {
  /** Two numbers for each slot, for the owner to use. A new slot has zeros. */
  values: Float64Array = new Float64Array(FIRST_SLOTS * 2);
  readonly #most: number;
  readonly #seed: number;
  #capacity: number;
  #heads: Int32Array;
  #next: Int32Array;
  #older: Int32Array;
  #newer: Int32Array;
  /** Four address words and the family for each slot. */
  #keys: Uint32Array;
  #size = 0;
  #used = 0;
  #free = NONE;
  #oldest = NONE;
  #newest = NONE;
  readonly #masked = new Uint32Array(4);

  /** @param most sources at once */
  constructor(most: number, seed: number) {
    this.#most = Math.max(1, most);
    this.#seed = seed | 0;
    this.#capacity = Math.min(FIRST_SLOTS, this.#most);
    this.#heads = new Int32Array(FIRST_SLOTS).fill(NONE);
    this.#next = new Int32Array(FIRST_SLOTS);
    this.#older = new Int32Array(FIRST_SLOTS);
    this.#newer = new Int32Array(FIRST_SLOTS);
    this.#keys = new Uint32Array(FIRST_SLOTS * 5);
  }

  /** Sources in the table. */
  get size(): number {
    return this.#size;
  }

  /** Slot of the network of `bits` bits around an address, -1 when it is not there. */
  find(family: Family, address: Uint32Array, bits: number): number {
    const hash = this.#mask(family, address, bits);
    const keys = this.#keys;
    const masked = this.#masked;
    for (let slot = this.#heads[hash] ?? NONE; slot !== NONE; slot = this.#next[slot] ?? NONE) {
      const at = slot * 5;
      if (
        keys[at] === masked[0] && keys[at + 1] === masked[1] && keys[at + 2] === masked[2] &&
        keys[at + 3] === masked[3] && keys[at + 4] === family
      ) return slot;
    }
    return NONE;
  }

  /** A slot for a network that is not there yet. */
  add(family: Family, address: Uint32Array, bits: number): number {
    const slot = this.#freeSlot();
    // After the slot was found: growing moves everything to other chains.
    const hash = this.#mask(family, address, bits);
    this.#keys.set(this.#masked, slot * 5);
    this.#keys[slot * 5 + 4] = family;
    this.#next[slot] = this.#heads[hash] ?? NONE;
    this.#heads[hash] = slot;
    this.values[slot * 2] = 0;
    this.values[slot * 2 + 1] = 0;
    this.#putNewest(slot);
    this.#size++;
    return slot;
  }

  /** The source was used: others give way before it. */
  touch(slot: number): void {
    if (slot === this.#newest) return;
    this.#unlinkAge(slot);
    this.#putNewest(slot);
  }

  remove(slot: number): void {
    const hash = this.#hash(slot);
    let at = this.#heads[hash] ?? NONE;
    if (at === slot) this.#heads[hash] = this.#next[slot] ?? NONE;
    else {
      while (this.#next[at] !== slot) at = this.#next[at] ?? NONE;
      this.#next[at] = this.#next[slot] ?? NONE;
    }
    this.#unlinkAge(slot);
    this.#next[slot] = this.#free;
    this.#free = slot;
    this.#size--;
  }

  #freeSlot(): number {
    if (this.#free !== NONE) {
      const slot = this.#free;
      this.#free = this.#next[slot] ?? NONE;
      return slot;
    }
    if (this.#used === this.#capacity && this.#capacity < this.#most) this.#grow();
    if (this.#used < this.#capacity) return this.#used++;
    this.remove(this.#oldest);
    return this.#freeSlot();
  }

  #grow(): void {
    this.#capacity = Math.min(this.#capacity * 2, this.#most);
    const slots = this.#heads.length * 2;
    this.#older = grown(this.#older, new Int32Array(slots));
    this.#newer = grown(this.#newer, new Int32Array(slots));
    this.#next = new Int32Array(slots);
    this.#keys = grown(this.#keys, new Uint32Array(slots * 5));
    this.values = grown(this.values, new Float64Array(slots * 2));
    this.#heads = new Int32Array(slots).fill(NONE);
    for (let slot = 0; slot < this.#used; slot++) {
      const hash = this.#hash(slot);
      this.#next[slot] = this.#heads[hash] ?? NONE;
      this.#heads[hash] = slot;
    }
  }

  #putNewest(slot: number): void {
    this.#older[slot] = this.#newest;
    this.#newer[slot] = NONE;
    if (this.#newest !== NONE) this.#newer[this.#newest] = slot;
    this.#newest = slot;
    if (this.#oldest === NONE) this.#oldest = slot;
  }

  #unlinkAge(slot: number): void {
    const [older, newer] = [this.#older[slot] ?? NONE, this.#newer[slot] ?? NONE];
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
  }

  /** Leaves the network's address in `#masked`. @returns its chain */
  #mask(family: Family, address: Uint32Array, bits: number): number {
    for (let i = 0; i < 4; i++) {
      const here = bits - i * 32;
      const mask = here >= 32 ? -1 : here <= 0 ? 0 : -1 << (32 - here);
      this.#masked[i] = (address[i] ?? 0) & mask;
    }
    return this.#mix(this.#masked, 0, family);
  }

  #hash(slot: number): number {
    return this.#mix(this.#keys, slot * 5, this.#keys[slot * 5 + 4] ?? 0);
  }

  /** MurmurHash3 of four address words and the family. */
  #mix(words: Uint32Array, at: number, family: number): number {
    let hash = this.#seed;
    for (let i = 0; i < 4; i++) hash = stir(hash, words[at + i] ?? 0);
    hash = stir(hash, family);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) & (this.#heads.length - 1);
  }
}

function stir(hash: number, word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  const turned = hash ^ Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0;
}

function grown<T extends Int32Array | Uint32Array | Float64Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
