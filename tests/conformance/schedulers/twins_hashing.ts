/**
 * The plain twins of the schedulers that hash an address.
 *
 * @module
 */
import { NO_DESTINATION } from "../../../schedulers/scheduler.ts";
import { type Call, type Seen, type Twin, usable } from "./twin.ts";

const folded = (words: Uint32Array): bigint => words.reduce((sum, word) => sum ^ BigInt(word), 0n);
const topByte = (key: bigint): number => Number(BigInt.asUintN(32, key * 0x61c88647n) >> 24n);

/** Reference section 8. */
export class SourceHashing implements Twin {
  readonly #fallback: boolean;
  readonly #port: boolean;

  constructor(flags: number) {
    this.#fallback = (flags & 0x08) !== 0;
    this.#port = (flags & 0x10) !== 0;
  }

  changed(): void {}

  pick(list: readonly Seen[], { client, clientPort }: Call): number {
    const lap = list.flatMap((it) => new Array<Seen>(Math.min(256, Math.max(1, it.weight))).fill(it));
    const table = Array.from({ length: 256 }, (_, i) => lap[i % lap.length]);
    const hash = topByte(folded(client) + (this.#port ? BigInt(clientPort) : 0n));
    const probes = this.#fallback ? Array.from({ length: 256 }, (_, i) => 2 * hash + i) : [];
    const found = [hash, ...probes].map((i) => table[i % 256]).find((it) => it !== undefined && usable(it));
    return found?.handle ?? NO_DESTINATION;
  }
}

/** Reference section 7. */
export class DestinationHashing implements Twin {
  changed(): void {}

  pick(list: readonly Seen[], { virtual }: Call): number {
    const owner = list[topByte(folded(virtual)) % Math.max(1, list.length)];
    return owner !== undefined && usable(owner) ? owner.handle : NO_DESTINATION;
  }
}

const SIZE = 4_093;
const OFFSET_KEY = 2_654_435_761n;
const SKIP_KEY = 2_654_446_892n;

/** Reference section 13. The table is made anew whenever the servers or their last weights differ from those it was made for. */
export class Maglev implements Twin {
  readonly #fallback: boolean;
  readonly #port: boolean;
  #madeFor = "";
  #table: (number | undefined)[] = [];
  /** A search through all of the table costs 20 ms in big integers. */
  readonly #known = new Map<bigint, number>();

  constructor(flags: number) {
    this.#fallback = (flags & 0x08) !== 0;
    this.#port = (flags & 0x10) !== 0;
  }

  changed(): void {}

  pick(list: readonly Seen[], { client, clientPort }: Call): number {
    const madeFor = list.map((it) => `${it.handle}*${it.lastWeight}`).join();
    if (madeFor !== this.#madeFor) {
      this.#table = maglevTable(list);
      this.#madeFor = madeFor;
    }
    const key = folded(client) + (this.#port ? BigInt(clientPort) : 0n);
    const bucket = this.#bucketOf(key);
    const owner = (hash: number) => list.find((it) => it.handle === this.#table[hash]);
    const first = owner(bucket);
    if (first === undefined || usable(first)) return first?.handle ?? NO_DESTINATION;
    for (let offset = 0; this.#fallback && offset < SIZE; offset++) {
      const again = owner(this.#bucketOf(key + BigInt((offset + bucket) % SIZE)));
      if (again !== undefined && usable(again)) return again.handle;
    }
    return NO_DESTINATION;
  }

  #bucketOf(key: bigint): number {
    const bucket = this.#known.get(key) ?? hashModulo(key, OFFSET_KEY, SIZE);
    this.#known.set(key, bucket);
    return bucket;
  }
}

/** The handle that owns each bucket: all preferences are written down first, then dealt out turn by turn. */
function maglevTable(list: readonly Seen[]): (number | undefined)[] {
  const table = new Array<number | undefined>(SIZE).fill(undefined);
  const divisor = list.reduce((sum, it) => gcd(sum, it.lastWeight), 0);
  if (divisor === 0) return table;
  const bits = (Math.max(...list.map((it) => it.lastWeight)) / divisor).toString(2).length;
  const turns = list.map((it) => {
    const scaled = Math.floor(it.lastWeight / divisor / 2 ** Math.max(0, bits - 6));
    return it.lastWeight === 0 ? 0 : Math.max(1, scaled);
  });
  const wishes = list.map((it) => preferences(it).values());
  for (let left = SIZE; left > 0;) {
    for (const [i, { handle }] of list.entries()) {
      for (let turn = 0; turn < (turns[i] ?? 0) && left > 0; turn++, left--) {
        const bucket = wishes[i]?.find((it) => table[it] === undefined) ?? 0;
        table[bucket] = handle;
      }
    }
  }
  return table;
}

function preferences({ address, port }: Seen): number[] {
  const key = folded(address.words) + BigInt(port);
  const [offset, skip] = [hashModulo(key, OFFSET_KEY, SIZE), hashModulo(key, SKIP_KEY, SIZE - 1) + 1];
  return Array.from({ length: SIZE }, (_, i) => (offset + i * skip) % SIZE);
}

function hashModulo(key: bigint, hashKey: bigint, modulus: number): number {
  return Number(sipHash13(BigInt.asUintN(32, key), hashKey) & 0xffff_ffffn) % modulus;
}

/** Section 13.2, in 64-bit words. */
function sipHash13(value: bigint, key: bigint): bigint {
  const wrap = (word: bigint) => BigInt.asUintN(64, word);
  const rotate = (word: bigint, by: bigint) => wrap(word << by) | (word >> (64n - by));
  let [a, b, c, d] = [
    0x736f6d6570736575n ^ key,
    0x646f72616e646f6dn ^ key,
    0x6c7967656e657261n ^ key,
    0x7465646279746573n ^ key,
  ];
  const round = () => {
    a = wrap(a + b);
    c = wrap(c + d);
    b = rotate(b, 13n) ^ a;
    d = rotate(d, 16n) ^ c;
    a = rotate(a, 32n);
    a = wrap(a + d);
    c = wrap(c + b);
    d = rotate(d, 21n) ^ a;
    b = rotate(b, 17n) ^ c;
    c = rotate(c, 32n);
  };
  const message = (4n << 56n) | value;
  d ^= message;
  round();
  a ^= message;
  c ^= 0xffn;
  for (let i = 0; i < 3; i++) round();
  return a ^ b ^ c ^ d;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
