/**
 * The CRC-32C of SCTP (RFC 9260 appendix A).
 *
 * @module
 */
import { put32 } from "./bytes.ts";

/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f6_3b78;
const SCTP_CHECKSUM = 8;

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) !== 0 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0xffff_ffff;
  for (let at = from; at < to; at++) crc = (TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Computes the checksum of the SCTP packet from `at` to `end` anew; it is sent with its lowest byte first. */
export function sealSctp(bytes: Uint8Array, at: number, end: number): void {
  put32(bytes, at + SCTP_CHECKSUM, 0);
  const crc = crc32c(bytes, at, end);
  for (let i = 0; i < 4; i++) bytes[at + SCTP_CHECKSUM + i] = crc >>> (8 * i);
}
