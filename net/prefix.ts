/**
 * Address prefixes (`10.0.0.0/8`), for allow lists and persistence netmasks.
 *
 * @module
 */
import { ValueError } from "../errors.ts";
import { type Family, IpAddress } from "./address.ts";

/**
 * A network: all addresses whose leading `length` bits are those of `address`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { IpAddress } from "./address.ts";
 *
 * const prefix = Prefix.parse("10.1.0.0/16");
 * assert.ok(prefix.contains(IpAddress.parse("10.1.255.3")));
 * assert.ok(!prefix.contains(IpAddress.parse("10.2.0.1")));
 * assert.equal(Prefix.parse("::1").length, 128);
 * ```
 */
export class Prefix {
  readonly address: IpAddress;
  /** Bits, 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly length: number;
  readonly #mask: Uint32Array;

  constructor(address: IpAddress, length: number) {
    this.#mask = maskWords(address.family, length);
    this.length = length;
    this.address = new IpAddress(
      address.family,
      address.words.map((word, i) => word & (this.#mask[i] ?? 0)),
    );
  }

  /**
   * Parses `10.0.0.0/8`, `fd00::/8` or a bare address (its full length). Bits behind the prefix are cleared.
   *
   * @throws {ValueError} `PREFIX_INVALID`
   */
  static parse(text: string): Prefix {
    const [head = "", bits, ...rest] = text.split("/");
    const address = IpAddress.tryParse(head);
    const longest = address?.family === 6 ? 128 : 32;
    const length = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
    if (address === undefined || rest.length > 0 || length < 0 || length > longest) {
      throw new ValueError(
        "PREFIX_INVALID",
        `"${text}" is not an address prefix; write 10.0.0.0/8, fd00::/8 or a single address`,
        { value: text },
      );
    }
    return new Prefix(address, length);
  }

  contains(address: IpAddress): boolean {
    return address.family === this.address.family && this.containsWords(address.words);
  }

  /** The same question for an address of the same family held as words; allocates nothing. */
  containsWords(words: Uint32Array): boolean {
    for (let i = 0; i < 4; i++) {
      if ((((words[i] ?? 0) & (this.#mask[i] ?? 0)) >>> 0) !== this.address.words[i]) return false;
    }
    return true;
  }

  toString(): string {
    return `${this.address}/${this.length}`;
  }
}

/** Mask words of a prefix length: bits set from the left. */
export function maskWords(family: Family, length: number): Uint32Array {
  const words = new Uint32Array(4);
  const count = family === 4 ? 1 : 4;
  for (let i = 0; i < count; i++) {
    const bits = Math.min(32, Math.max(0, length - i * 32));
    words[i] = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
  }
  return words;
}
