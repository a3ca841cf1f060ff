/**
 * The IPv4 header (RFC 791).
 *
 * @module
 */
import { get16, put16 } from "./bytes.ts";
import { checksumOf } from "./checksum.ts";

/** Without options. */
export const IPV4_BYTES = 20;
export const IPV4_MAX_BYTES = 65_535;

/** Where the fields begin. */
export const IPV4 = {
  tos: 1,
  totalLength: 2,
  id: 4,
  fragment: 6,
  ttl: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
} as const;

/** Bits of the word at `IPV4.fragment`; the offset counts 8 bytes. */
export const FRAGMENT = { dont: 0x4000, more: 0x2000, offset: 0x1fff } as const;

/** What an outer or an answering header is made of. Its length is 20: no options. */
export interface Ipv4Fields {
  tos: number;
  totalLength: number;
  id: number;
  /** `FRAGMENT` bits and offset. */
  fragment: number;
  ttl: number;
  protocol: number;
  source: number;
  destination: number;
}

/** Writes a header with its checksum. */
export function writeIpv4(bytes: Uint8Array, at: number, fields: Ipv4Fields): void {
  bytes[at] = 0x45;
  bytes[at + IPV4.tos] = fields.tos;
  put16(bytes, at + IPV4.totalLength, fields.totalLength);
  put16(bytes, at + IPV4.id, fields.id);
  put16(bytes, at + IPV4.fragment, fields.fragment);
  bytes[at + IPV4.ttl] = fields.ttl;
  bytes[at + IPV4.protocol] = fields.protocol;
  put16(bytes, at + IPV4.source, fields.source >>> 16);
  put16(bytes, at + IPV4.source + 2, fields.source & 0xffff);
  put16(bytes, at + IPV4.destination, fields.destination >>> 16);
  put16(bytes, at + IPV4.destination + 2, fields.destination & 0xffff);
  sealIpv4(bytes, at);
}

/** Bytes of the header at `at`, options included. */
export function ipv4HeaderBytes(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) & 0x0f) * 4;
}

/** Computes the header's checksum anew. */
export function sealIpv4(bytes: Uint8Array, at: number): void {
  put16(bytes, at + IPV4.checksum, 0);
  put16(bytes, at + IPV4.checksum, checksumOf(bytes, at, at + ipv4HeaderBytes(bytes, at)));
}

/** One hop less, as `ip_decrease_ttl`: the checksum is changed by what changed. */
export function decrementTtl(bytes: Uint8Array, at: number): void {
  const checksum = get16(bytes, at + IPV4.checksum) + 0x0100;
  put16(bytes, at + IPV4.checksum, (checksum + (checksum >= 0xffff ? 1 : 0)) & 0xffff);
  bytes[at + IPV4.ttl] = (bytes[at + IPV4.ttl] ?? 0) - 1;
}

/** Largest payload of a fragment below `limit` bytes with a header of `headerBytes`: a multiple of 8. */
export function fragmentPayload(limit: number, headerBytes: number): number {
  return Math.max(0, limit - headerBytes) & ~7;
}
