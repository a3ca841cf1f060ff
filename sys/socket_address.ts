/**
 * `sockaddr_in` (16 bytes) and `sockaddr_in6` (28 bytes) as they lie in memory.
 *
 * @module
 */
import { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { FAMILY } from "./socket_numbers.ts";

/** Room for either. */
export const SOCKET_ADDRESS_BYTES = 28;
const INET_BYTES = 16;
/** Where the address begins. */
const INET_ADDRESS = 4;
const INET6_ADDRESS = 8;

/**
 * An endpoint for `bind` and `connect`. The family is in the host's order, which is little on both processors.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { IpAddress } from "../net/address.ts";
 *
 * const bytes = socketAddress({ address: IpAddress.parse("10.0.0.1"), port: 80 });
 * assert.deepEqual([...bytes.subarray(0, 8)], [2, 0, 0, 80, 10, 0, 0, 1]);
 * ```
 */
export function socketAddress({ address, port }: Endpoint): Uint8Array<ArrayBuffer> {
  const isInet = address.family === 4;
  const bytes = new Uint8Array(isInet ? INET_BYTES : SOCKET_ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isInet ? FAMILY.inet : FAMILY.inet6, true);
  view.setUint16(2, port);
  const words = isInet ? address.words.subarray(0, 1) : address.words;
  words.forEach((word, i) => view.setUint32((isInet ? INET_ADDRESS : INET6_ADDRESS) + i * 4, word));
  return bytes;
}

/** Writes an address of the family into a view of `SOCKET_ADDRESS_BYTES`. Allocates nothing. @returns its length */
export function writeAddress(view: DataView, family: 4 | 6, words: Uint32Array, port: number): number {
  const isInet = family === 4;
  view.setUint16(0, isInet ? FAMILY.inet : FAMILY.inet6, true);
  view.setUint16(2, port);
  const at = isInet ? INET_ADDRESS : INET6_ADDRESS;
  for (let i = 0; i < (isInet ? 1 : 4); i++) view.setUint32(at + i * 4, words[i] ?? 0);
  return isInet ? INET_BYTES : SOCKET_ADDRESS_BYTES;
}

/** Port of either kind. */
export function portAt(view: DataView): number {
  return view.getUint16(2);
}

/**
 * Reads the address into four words, an IPv4-mapped one as IPv4 (see `IpAddress`). Allocates nothing.
 *
 * @returns its family
 */
export function readAddress(view: DataView, words: Uint32Array): 4 | 6 {
  if (view.getUint16(0, true) === FAMILY.inet) return setIpv4(words, view.getUint32(INET_ADDRESS));
  const [a, b] = [view.getUint32(INET6_ADDRESS), view.getUint32(INET6_ADDRESS + 4)];
  const [c, d] = [view.getUint32(INET6_ADDRESS + 8), view.getUint32(INET6_ADDRESS + 12)];
  if (a === 0 && b === 0 && c === 0xffff) return setIpv4(words, d);
  words[0] = a;
  words[1] = b;
  words[2] = c;
  words[3] = d;
  return 6;
}

function setIpv4(words: Uint32Array, word: number): 4 {
  words[0] = word;
  words[1] = 0;
  words[2] = 0;
  words[3] = 0;
  return 4;
}

/** The endpoint as an object of its own. */
export function endpointAt(view: DataView): Endpoint {
  const words = new Uint32Array(4);
  const family = readAddress(view, words);
  return { address: new IpAddress(family, words), port: portAt(view) };
}
