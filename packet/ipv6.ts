/**
 * The IPv6 header and its extension headers (RFC 8200).
 *
 * @module
 */
import { get16, get32, put16, put32 } from "./bytes.ts";

export const IPV6_BYTES = 40;
/** Every link carries at least this much. */
export const IPV6_MIN_MTU = 1_280;

/** Where the fields begin. */
export const IPV6 = { payloadLength: 4, nextHeader: 6, hopLimit: 7, source: 8, destination: 24 } as const;

/** Next-header values of extension headers. */
export const EXTENSION = { hopByHop: 0, routing: 43, fragment: 44, auth: 51, none: 59, options: 60 } as const;

export const FRAGMENT_HEADER_BYTES = 8;

/** What the walk over the extension headers found. One object, refilled. */
export class Ipv6Chain {
  /** The upper-layer protocol (or the first header that is not understood). */
  protocol = 0;
  /** Where it begins. */
  at = 0;
  /** Where the fragment header begins, 0 for none. */
  fragmentAt = 0;
  /** Payload offset of the fragment in bytes. */
  fragmentOffset = 0;
  moreFragments = false;

  /** Walks from the header at `at`; false when an extension header does not lie wholly before `end`. */
  walk(bytes: Uint8Array, at: number, end: number): boolean {
    let next = bytes[at + IPV6.nextHeader] ?? 0;
    let position = at + IPV6_BYTES;
    this.fragmentAt = 0;
    this.fragmentOffset = 0;
    this.moreFragments = false;
    while (isExtension(next)) {
      if (position + 8 > end) return false;
      if (next === EXTENSION.fragment) {
        this.fragmentAt = position;
        this.fragmentOffset = get16(bytes, position + 2) & 0xfff8;
        this.moreFragments = (get16(bytes, position + 2) & 1) !== 0;
      }
      const size = extensionBytes(bytes, position, next);
      next = bytes[position] ?? EXTENSION.none;
      position += size;
      // What follows the fragment header of a later fragment is payload, whatever it looks like.
      if (this.fragmentOffset !== 0) break;
    }
    this.protocol = next;
    this.at = position;
    return position <= end;
  }
}

function isExtension(next: number): boolean {
  return next === EXTENSION.hopByHop || next === EXTENSION.routing || next === EXTENSION.fragment ||
    next === EXTENSION.auth || next === EXTENSION.options;
}

/** Bytes of the extension header of type `kind` at `at`. */
export function extensionBytes(bytes: Uint8Array, at: number, kind: number): number {
  if (kind === EXTENSION.fragment) return FRAGMENT_HEADER_BYTES;
  const length = bytes[at + 1] ?? 0;
  return kind === EXTENSION.auth ? (length + 2) * 4 : (length + 1) * 8;
}

/** What an outer or an answering header is made of; addresses as words. */
export interface Ipv6Fields {
  trafficClass: number;
  flowLabel: number;
  payloadLength: number;
  nextHeader: number;
  hopLimit: number;
  readonly source: ArrayLike<number>;
  readonly destination: ArrayLike<number>;
}

export function writeIpv6(bytes: Uint8Array, at: number, fields: Ipv6Fields): void {
  put32(bytes, at, (6 << 28) | (fields.trafficClass << 20) | fields.flowLabel);
  put16(bytes, at + IPV6.payloadLength, fields.payloadLength);
  bytes[at + IPV6.nextHeader] = fields.nextHeader;
  bytes[at + IPV6.hopLimit] = fields.hopLimit;
  for (let i = 0; i < 4; i++) {
    put32(bytes, at + IPV6.source + i * 4, fields.source[i] ?? 0);
    put32(bytes, at + IPV6.destination + i * 4, fields.destination[i] ?? 0);
  }
}

export function trafficClassOf(bytes: Uint8Array, at: number): number {
  return (get32(bytes, at) >>> 20) & 0xff;
}
