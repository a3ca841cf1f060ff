/**
 * Packets that the director or its host makes itself.
 *
 * @module
 */
import type { Family } from "../../net/address.ts";
import { put16 } from "../../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../../packet/checksum.ts";
import { FRAGMENT, IPV4, IPV4_BYTES, writeIpv4 } from "../../packet/ipv4.ts";
import { IPV6, IPV6_BYTES, writeIpv6 } from "../../packet/ipv6.ts";
import { IP_PROTOCOL } from "../../packet/transport.ts";
import { HEADROOM_BYTES, Passage } from "./passage.ts";

const OWN_TTL = 64;

/** What is sent. */
export interface OwnPacket {
  readonly family: Family;
  readonly source: Uint32Array;
  readonly destination: Uint32Array;
  readonly protocol: number;
  readonly tos: number;
  /** Identification of an IPv4 packet; undefined: it must not be fragmented, and has none. */
  readonly id: number | undefined;
  /** Header and payload of the upper layer. */
  readonly message: Uint8Array;
  /** Where its checksum belongs; what stands there is overwritten. */
  readonly checksumAt: number;
}

/** A packet with all its checksums, and room in front of it. */
export function ownPassage(packet: OwnPacket): Passage {
  const { family, source, destination, protocol, tos, id, message, checksumAt } = packet;
  const at = HEADROOM_BYTES;
  const header = family === 4 ? IPV4_BYTES : IPV6_BYTES;
  const bytes = new Uint8Array(at + header + message.length);
  if (family === 4) {
    writeIpv4(bytes, at, {
      tos,
      totalLength: header + message.length,
      id: id ?? 0,
      fragment: id === undefined ? FRAGMENT.dont : 0,
      ttl: OWN_TTL,
      protocol,
      source: source[0] ?? 0,
      destination: destination[0] ?? 0,
    });
  } else {
    writeIpv6(bytes, at, {
      trafficClass: tos,
      flowLabel: 0,
      payloadLength: message.length,
      nextHeader: protocol,
      hopLimit: OWN_TTL,
      source,
      destination,
    });
  }
  bytes.set(message, at + header);
  const addresses = at + (family === 4 ? IPV4.source : IPV6.source);
  const pseudo = protocol === IP_PROTOCOL.icmp
    ? 0
    : pseudoHeaderSum(bytes, addresses, family === 4 ? 4 : 16, protocol, message.length);
  put16(bytes, at + header + checksumAt, 0);
  put16(bytes, at + header + checksumAt, checksumOf(bytes, at + header, bytes.length, pseudo));
  return Passage.own(bytes, at, bytes.length);
}
