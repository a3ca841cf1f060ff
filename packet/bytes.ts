/**
 * Numbers in network byte order. Reading past the end gives 0 and writing there does nothing; who parses checks lengths first.
 *
 * @module
 */

export function get16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** Unsigned. */
export function get32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)) >>> 0;
}

export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Reads an address of `words` 32-bit words; the rest of `into` becomes 0 (see `IpAddress`). */
export function getAddress(bytes: Uint8Array, at: number, words: number, into: Uint32Array): void {
  for (let i = 0; i < 4; i++) into[i] = i < words ? get32(bytes, at + i * 4) : 0;
}

export function putAddress(bytes: Uint8Array, at: number, words: number, from: ArrayLike<number>): void {
  for (let i = 0; i < words; i++) put32(bytes, at + i * 4, from[i] ?? 0);
}
