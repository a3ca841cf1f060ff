/**
 * What stands between the outer and the inner header of a tunnel: GRE (RFC 2784), and GUE (draft-ietf-intarea-gue) over UDP.
 *
 * @module
 */
import { get16, put16, put32 } from "./bytes.ts";
import { checksumOf } from "./checksum.ts";

/** Without a checksum; with one it has 8. */
export const GRE_BYTES = 4;
export const GRE_CHECKSUM_BYTES = 8;
const GRE_FLAG = {
  checksum: 0x8000,
  routing: 0x4000,
  key: 0x2000,
  sequence: 0x1000,
  version: 0x0007,
} as const;

/** Without private fields. */
export const GUE_BYTES = 4;
const GUE_CONTROL = 0x20;

/** Writes a GRE header at `at`, with room for a checksum if wished, which is over header and payload. */
export function writeGre(bytes: Uint8Array, at: number, ethertype: number, withChecksum: boolean): void {
  put16(bytes, at, withChecksum ? GRE_FLAG.checksum : 0);
  put16(bytes, at + 2, ethertype);
  if (withChecksum) put32(bytes, at + 4, 0);
}

/** Bytes of the GRE header at `at`, -1 when it is none that can be read before `end` (routing, another version, cut short). */
export function greBytes(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < GRE_BYTES) return -1;
  const flags = get16(bytes, at);
  if ((flags & (GRE_FLAG.version | GRE_FLAG.routing)) !== 0) return -1;
  const size = GRE_BYTES + ((flags & GRE_FLAG.checksum) !== 0 ? 4 : 0) +
    ((flags & GRE_FLAG.key) !== 0 ? 4 : 0) + ((flags & GRE_FLAG.sequence) !== 0 ? 4 : 0);
  return at + size <= end ? size : -1;
}

/** Ethertype of what a GRE header at `at` carries. */
export function greEthertype(bytes: Uint8Array, at: number): number {
  return get16(bytes, at + 2);
}

/** Whether the GRE header at `at` says it has a checksum, and that one is wrong. */
export function isGreDamaged(bytes: Uint8Array, at: number, end: number): boolean {
  return (get16(bytes, at) & GRE_FLAG.checksum) !== 0 && checksumOf(bytes, at, end) !== 0;
}

/** Writes a GUE data header (version 0, no fields): what follows is `protocol`. */
export function writeGue(bytes: Uint8Array, at: number, protocol: number): void {
  bytes[at] = 0;
  bytes[at + 1] = protocol;
  put16(bytes, at + 2, 0);
}

/** Bytes of the GUE header at `at`, private fields included; -1 for version 1, control messages and what is cut short. */
export function gueBytes(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < GUE_BYTES) return -1;
  const first = bytes[at] ?? 0;
  if ((first & 0xc0) !== 0 || (first & GUE_CONTROL) !== 0) return -1;
  const size = GUE_BYTES + (first & 0x1f) * 4;
  return at + size <= end ? size : -1;
}

/** Protocol of what a GUE header at `at` carries. */
export function gueProtocol(bytes: Uint8Array, at: number): number {
  return bytes[at + 1] ?? 0;
}
