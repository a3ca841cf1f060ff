/**
 * Neighbour discovery for IPv6 (RFC 4861): solicitations and advertisements.
 *
 * @module
 */
import { get32, put16, put32, putAddress } from "./bytes.ts";
import { checksumOf, pseudoHeaderSum } from "./checksum.ts";
import { MAC_BYTES } from "./ethernet.ts";
import { IPV6, IPV6_BYTES, writeIpv6 } from "./ipv6.ts";
import { ICMP, ICMPV6_TYPE, IP_PROTOCOL } from "./transport.ts";

/** Target address, behind the ICMPv6 header's 8 bytes. */
export const NEIGHBOUR_TARGET = 8;
const OPTIONS = 24;
/** With one link-layer address option. */
export const NEIGHBOUR_BYTES = 32;
/** Advertisements: the sender asked for it, and it replaces what is known. */
export const ADVERTISEMENT_FLAG = {
  router: 0x8000_0000,
  solicited: 0x4000_0000,
  override: 0x2000_0000,
} as const;
const OPTION = { sourceMac: 1, targetMac: 2 } as const;
/** Only a neighbour's packet can have it. */
export const NEIGHBOUR_HOP_LIMIT = 255;

/** Where the link-layer address of a message's option begins, -1 when there is none; `end` is where the message ends. */
export function neighbourMacAt(bytes: Uint8Array, icmpAt: number, end: number): number {
  const wanted = bytes[icmpAt] === ICMPV6_TYPE.neighbourSolicitation ? OPTION.sourceMac : OPTION.targetMac;
  let at = icmpAt + OPTIONS;
  while (at + 8 <= end) {
    const size = (bytes[at + 1] ?? 0) * 8;
    if (size === 0 || at + size > end) return -1;
    if (bytes[at] === wanted) return at + 2;
    at += size;
  }
  return -1;
}

export function advertisementFlags(bytes: Uint8Array, icmpAt: number): number {
  return get32(bytes, icmpAt + ICMP.rest);
}

/** A solicitation or advertisement to be written. Addresses as words. */
export interface NeighbourMessage {
  readonly type: number;
  /** `ADVERTISEMENT_FLAG` bits; 0 for a solicitation. */
  readonly flags: number;
  readonly source: ArrayLike<number>;
  readonly destination: ArrayLike<number>;
  readonly target: ArrayLike<number>;
  /** The sender's own. */
  readonly mac: Uint8Array;
}

/** Writes IPv6 header and message at `at`; where it ends. */
export function writeNeighbourMessage(bytes: Uint8Array, at: number, message: NeighbourMessage): number {
  const { type, flags, source, destination, target, mac } = message;
  writeIpv6(bytes, at, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: NEIGHBOUR_BYTES,
    nextHeader: IP_PROTOCOL.icmpv6,
    hopLimit: NEIGHBOUR_HOP_LIMIT,
    source,
    destination,
  });
  const icmp = at + IPV6_BYTES;
  const end = icmp + NEIGHBOUR_BYTES;
  put16(bytes, icmp, type << 8);
  put16(bytes, icmp + ICMP.checksum, 0);
  put32(bytes, icmp + ICMP.rest, flags);
  putAddress(bytes, icmp + NEIGHBOUR_TARGET, 4, target);
  bytes[icmp + OPTIONS] = type === ICMPV6_TYPE.neighbourSolicitation ? OPTION.sourceMac : OPTION.targetMac;
  bytes[icmp + OPTIONS + 1] = 1;
  for (let i = 0; i < MAC_BYTES; i++) bytes[icmp + OPTIONS + 2 + i] = mac[i] ?? 0;
  const pseudo = pseudoHeaderSum(bytes, at + IPV6.source, 16, IP_PROTOCOL.icmpv6, NEIGHBOUR_BYTES);
  put16(bytes, icmp + ICMP.checksum, checksumOf(bytes, icmp, end, pseudo));
  return end;
}

/** The group that hears solicitations for an address: ff02::1:ffXX:XXXX. */
export function solicitedNode(target: ArrayLike<number>): Uint32Array {
  return Uint32Array.of(0xff02_0000, 0, 1, 0xff00_0000 | ((target[3] ?? 0) & 0x00ff_ffff));
}

/** Ethernet address of an IPv6 group: 33:33 and its last four bytes. */
export function groupMac(group: ArrayLike<number>): Uint8Array {
  const mac = Uint8Array.of(0x33, 0x33, 0, 0, 0, 0);
  put32(mac, 2, group[3] ?? 0);
  return mac;
}
