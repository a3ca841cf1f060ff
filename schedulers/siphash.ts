/**
 * SipHash-1-3 of one 32-bit number with 64-bit state: the kernel's `hsiphash` on 64-bit machines.
 *
 * @module
 */

/** Length of the message in bytes, in its top byte. */
const LENGTH_WORD = 4 << 24;

/**
 * The low half of the hash, as a signed 32-bit integer: an unsigned one may cost an allocation.
 *
 * @param value the message, 32 bits
 * @param key both words of the key: each has these 32 bits as its low half and 0 as its high half, as mh's keys have
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const client = 0xc0000201; // 192.0.2.1
 * assert.equal(hsiphash(client, 2_654_435_761) >>> 0, 0x92889c88);
 * ```
 */
export function hsiphash(value: number, key: number): number {
  // Four 64-bit words as halves, h the high one. The constants are those of SipHash.
  let v0h = 0x736f6d65, v0l = 0x70736575 ^ key;
  let v1h = 0x646f7261, v1l = 0x6e646f6d ^ key;
  let v2h = 0x6c796765, v2l = 0x6e657261 ^ key;
  let v3h = 0x74656462 ^ LENGTH_WORD, v3l = 0x79746573 ^ key ^ value;
  // One round to take the message in, then three to finish.
  for (let round = 0; round < 4; round++) {
    if (round === 1) {
      v0h ^= LENGTH_WORD;
      v0l ^= value;
      v2l ^= 0xff;
    }
    // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
    let sum = (v0l + v1l) | 0;
    v0h = (v0h + v1h + carry(v0l, v1l, sum)) | 0;
    v0l = sum;
    let high = (v1h << 13) | (v1l >>> 19);
    v1l = ((v1l << 13) | (v1h >>> 19)) ^ v0l;
    v1h = high ^ v0h;
    high = v0h;
    v0h = v0l;
    v0l = high;
    // v2 += v3; v3 = rotl(v3, 16) ^ v2
    sum = (v2l + v3l) | 0;
    v2h = (v2h + v3h + carry(v2l, v3l, sum)) | 0;
    v2l = sum;
    high = (v3h << 16) | (v3l >>> 16);
    v3l = ((v3l << 16) | (v3h >>> 16)) ^ v2l;
    v3h = high ^ v2h;
    // v0 += v3; v3 = rotl(v3, 21) ^ v0
    sum = (v0l + v3l) | 0;
    v0h = (v0h + v3h + carry(v0l, v3l, sum)) | 0;
    v0l = sum;
    high = (v3h << 21) | (v3l >>> 11);
    v3l = ((v3l << 21) | (v3h >>> 11)) ^ v0l;
    v3h = high ^ v0h;
    // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
    sum = (v2l + v1l) | 0;
    v2h = (v2h + v1h + carry(v2l, v1l, sum)) | 0;
    v2l = sum;
    high = (v1h << 17) | (v1l >>> 15);
    v1l = ((v1l << 17) | (v1h >>> 15)) ^ v2l;
    v1h = high ^ v2h;
    high = v2h;
    v2h = v2l;
    v2l = high;
  }
  return v0l ^ v1l ^ v2l ^ v3l;
}

/** 1 when the 32-bit addition `a + b = sum` overflowed. */
function carry(a: number, b: number, sum: number): number {
  return ((a & b) | ((a | b) & ~sum)) >>> 31;
}
