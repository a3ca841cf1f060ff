/**
 * The hash primitives of the kernel's hashing schedulers, bit for bit: two directors, or a director and a kernel, with the
 * same servers in the same order choose alike.
 *
 * @module
 */

import { type Flow, PROTOCOL } from "../net/flow.ts";

/** GOLDEN_RATIO_32 of include/linux/hash.h. */
const GOLDEN_RATIO_32 = 0x61c88647;

/**
 * One unsigned 32-bit number for an address held as words: IPv4 is the address itself (its other words are 0), IPv6 the XOR
 * of its four words.
 */
export function fold(words: Uint32Array): number {
  return ((words[0] ?? 0) ^ (words[1] ?? 0) ^ (words[2] ?? 0) ^ (words[3] ?? 0)) >>> 0;
}

/**
 * The kernel's `hash_32`: the top `bits` (1 to 32) of a 32-bit multiplication.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const address = 0xc0000201; // 192.0.2.1
 * assert.equal(hash32(address, 8), 50);
 * assert.equal(hash32(address + 40_000, 8), 214);
 * ```
 */
export function hash32(value: number, bits: number): number {
  return Math.imul(value, GOLDEN_RATIO_32) >>> (32 - bits);
}

/** The client's port where the protocol has ports, else 0. */
export function clientPort(flow: Flow): number {
  const { protocol } = flow;
  const hasPorts = protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp || protocol === PROTOCOL.sctp;
  return hasPorts ? flow.clientPort : 0;
}
