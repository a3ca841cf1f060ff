/**
 * IP addresses as four 32-bit words, the shape that the store and the schedulers' hashes use.
 *
 * @module
 */
import { ValueError } from "../errors.ts";

/** Address family by its IP version. */
export type Family = 4 | 6;

/**
 * An immutable IP address. An IPv4 address fills word 0 and leaves the rest 0, as the kernel's `nf_inet_addr` does,
 * so the XOR of all words is right for both families.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(IpAddress.parse("::ffff:10.0.0.1").toString(), "10.0.0.1");
 * assert.equal(IpAddress.parse("2001:db8:0:0::1").toString(), "2001:db8::1");
 * assert.equal(IpAddress.parse("10.0.0.1").words[0], 0x0a000001);
 * ```
 */
export class IpAddress {
  readonly family: Family;
  readonly words: Uint32Array;
  #text: string | undefined;

  constructor(family: Family, words: Uint32Array) {
    this.family = family;
    this.words = words;
  }

  /**
   * Parses `10.0.0.1` or `2001:db8::1`. An IPv4-mapped IPv6 address becomes IPv4: this is the one place where
   * `::ffff:a.b.c.d`, which a dual-stack listener reports, is normalised.
   *
   * @throws {ValueError} `ADDRESS_INVALID` when the text is neither.
   */
  static parse(text: string): IpAddress {
    const address = IpAddress.tryParse(text);
    if (address === undefined) {
      throw new ValueError(
        "ADDRESS_INVALID",
        `"${text}" is not an IP address; write 10.0.0.1 or 2001:db8::1`,
        { value: text },
      );
    }
    return address;
  }

  /** Like {@linkcode IpAddress.parse}, with `undefined` for what does not parse. */
  static tryParse(text: string): IpAddress | undefined {
    if (!text.includes(":")) {
      const word = parseIpv4(text);
      return word === undefined ? undefined : IpAddress.ipv4(word);
    }
    const words = parseIpv6(text);
    return words === undefined ? undefined : IpAddress.ipv6(words);
  }

  /** The IPv4 address with this number, e.g. 0x7f000001. */
  static ipv4(word: number): IpAddress {
    return new IpAddress(4, Uint32Array.of(word >>> 0, 0, 0, 0));
  }

  /** The address with these four words; an IPv4-mapped one becomes IPv4, as in {@linkcode IpAddress.parse}. */
  static ipv6(words: Uint32Array): IpAddress {
    const isMapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
    return isMapped ? IpAddress.ipv4(words[3] ?? 0) : new IpAddress(6, words);
  }

  get isUnspecified(): boolean {
    return this.words.every((word) => word === 0);
  }

  get isLoopback(): boolean {
    const [a, b, c, d] = this.words;
    return this.family === 4 ? ((a ?? 0) >>> 24) === 127 : a === 0 && b === 0 && c === 0 && d === 1;
  }

  equals(other: IpAddress): boolean {
    return this.family === other.family && this.words.every((word, i) => word === other.words[i]);
  }

  /** Canonical text: dotted quad, or RFC 5952 for IPv6. */
  toString(): string {
    return this.#text ??= formatAddress(this.family, this.words);
  }
}

/** Text of an address held as words (see {@linkcode IpAddress}); for IPv6 as RFC 5952 wants it. */
export function formatAddress(family: Family, words: ArrayLike<number>): string {
  if (family === 4) {
    const word = words[0] ?? 0;
    return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
  }
  const groups: number[] = [];
  for (let i = 0; i < 4; i++) {
    const word = words[i] ?? 0;
    groups.push(word >>> 16, word & 0xffff);
  }
  const { start, length } = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}

function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let word = 0;
  for (const part of match.slice(1)) {
    // "010" is octal to inet_aton and decimal to people: refused, as in RFC 6943 section 3.1.1.
    if (Number(part) > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    word = word * 256 + Number(part);
  }
  return word;
}

function parseIpv6(text: string): Uint32Array | undefined {
  const plain = embedIpv4(text);
  if (plain === undefined) return undefined;
  const halves = plain.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "");
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "") : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const words = new Uint32Array(4);
  groups.forEach((group, i) => words[i >> 1] = ((words[i >> 1] ?? 0) << 16) | group);
  return words;
}

/** Rewrites a trailing dotted quad (`::ffff:1.2.3.4`) as two groups. */
function embedIpv4(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const colon = text.lastIndexOf(":");
  const word = parseIpv4(text.slice(colon + 1));
  if (word === undefined) return undefined;
  return `${text.slice(0, colon + 1)}${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`;
}

function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  return groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))
    ? groups.map((group) => parseInt(group, 16))
    : undefined;
}
