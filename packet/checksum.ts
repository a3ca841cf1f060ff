/**
 * The Internet checksum: whole (RFC 1071) and by what changed (RFC 1624).
 *
 * @module
 */
import { get16, get32, put16 } from "./bytes.ts";

/** Sum of the 16-bit words from `from` up to `to`, not folded; an odd last byte counts as the upper half of a word. */
export function sumWords(bytes: Uint8Array, from: number, to: number, initial = 0): number {
  let sum = initial;
  let at = from;
  // A float holds 2^53, so even 2^20 words of 32 bits cannot overflow it.
  for (; at + 3 < to; at += 4) sum += get32(bytes, at);
  for (; at + 1 < to; at += 2) sum += get16(bytes, at);
  if (at < to) sum += (bytes[at] ?? 0) << 8;
  return sum;
}

/** The same sum in one buffer, four bytes at a time: a third of the time for payloads. */
export class WordSum {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;

  /** @param buffer of a multiple of four bytes */
  constructor(buffer: ArrayBuffer) {
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
  }

  /** Sum of the 16-bit words from `from` up to `to`, folded. */
  of(from: number, to: number): number {
    if ((from & 3) !== 0) return foldSum(sumWords(this.#bytes, from, to));
    const words = this.#words;
    const last = to >>> 2;
    let at = from >>> 2;
    // Words of the machine, which puts the low byte first: the sum's bytes are the other way round. Two sums, so that
    // one addition need not wait for the other; each stays far below 2^53.
    let even = 0;
    let odd = 0;
    for (; at + 1 < last; at += 2) {
      even += words[at] ?? 0;
      odd += words[at + 1] ?? 0;
    }
    if (at < last) even += words[at] ?? 0;
    const turned = foldSum(even + odd);
    return foldSum(
      sumWords(this.#bytes, Math.max(from, last * 4), to, ((turned & 0xff) << 8) | (turned >>> 8)),
    );
  }
}

/** Folds a sum of 16-bit or 32-bit words into 16 bits, with carries. */
export function foldSum(sum: number): number {
  let folded = sum;
  // The low half of a float is right up to 2^53; sums of headers need no float at all.
  while (folded > 0xffff_ffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  folded = (folded & 0xffff) + (folded >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

/**
 * Checksum over a range; 0 when the range holds its own right checksum.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const header = Uint8Array.of(0x45, 0, 0, 0x54, 0, 0, 0x40, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2);
 * const value = checksumOf(header, 0, header.length);
 * header[10] = value >>> 8;
 * header[11] = value & 255;
 * assert.equal(checksumOf(header, 0, header.length), 0);
 * ```
 */
export function checksumOf(bytes: Uint8Array, from: number, to: number, initial = 0): number {
  return ~foldSum(sumWords(bytes, from, to, initial)) & 0xffff;
}

/** Sum of the pseudo-header of IPv4 or IPv6: two addresses that lie side by side, protocol, length (RFC 8200 section 8.1). */
export function pseudoHeaderSum(
  bytes: Uint8Array,
  addressesAt: number,
  addressBytes: number,
  protocol: number,
  length: number,
): number {
  return sumWords(bytes, addressesAt, addressesAt + 2 * addressBytes) + protocol + length;
}

/** The checksum after a 16-bit word changed: ~(~HC + ~m + m'). */
export function replaced16(checksum: number, before: number, after: number): number {
  return ~foldSum((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

/** The checksum after a 32-bit word changed. */
export function replaced32(checksum: number, before: number, after: number): number {
  return ~foldSum((~checksum & 0xffff) + (~before >>> 0) + (after >>> 0)) & 0xffff;
}

/** Writes a 16-bit word and keeps the checksum at `checksumAt` right. */
export function change16(bytes: Uint8Array, at: number, value: number, checksumAt: number): void {
  put16(bytes, checksumAt, replaced16(get16(bytes, checksumAt), get16(bytes, at), value));
  put16(bytes, at, value);
}
