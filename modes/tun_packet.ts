/**
 * TUN on a packet: the outer headers in front of it, as the kernel's.
 *
 * @module
 */
import { put16 } from "../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../packet/checksum.ts";
import { ETHERTYPE } from "../packet/ethernet.ts";
import type { IpPacket } from "../packet/ip_packet.ts";
import { FRAGMENT, IPV4, IPV4_BYTES, writeIpv4 } from "../packet/ipv4.ts";
import { IPV6, IPV6_BYTES, writeIpv6 } from "../packet/ipv6.ts";
import { IP_PROTOCOL, UDP, UDP_BYTES } from "../packet/transport.ts";
import { GRE_BYTES, GRE_CHECKSUM_BYTES, GUE_BYTES, writeGre, writeGue } from "../packet/tunnel.ts";
import type { Translation } from "./translation.ts";
import {
  packTunnel,
  type Tunnel,
  TUNNEL_TYPES,
  tunnelChecksumOf,
  tunnelPortOf,
  tunnelTypeOf,
} from "./tunnel.ts";

const GUE = TUNNEL_TYPES.indexOf("gue");
const GRE = TUNNEL_TYPES.indexOf("gre");
const ECN = { mask: 0x03, ect0: 0x02, congestion: 0x03 } as const;
/** `net.ipv4.ip_local_port_range` of a fresh kernel, from which GUE's source ports come. */
const FLOW_PORT = { first: 32_768, last: 60_999 } as const;

/** What the outer header has besides the connection. */
export interface Outer {
  /** The director's address towards the real server, as words. */
  readonly source: Uint32Array;
  /** IPv4 identification. */
  readonly id: number;
  /** `pmtu_disc`: the outer packet must not be fragmented if the inner one must not. */
  readonly copyDontFragment: boolean;
  /** Any number that stays the same for a connection. */
  readonly flowHash: number;
  /** It stands for several packets: lengths and checksums that depend on their size come when it is cut. */
  readonly isTrain?: boolean;
}

/** Bytes between the outer IP header and the inner one. */
export function encapsulationBytes(tunnel: number): number {
  const type = tunnelTypeOf(tunnel);
  if (type === GUE) return UDP_BYTES + GUE_BYTES;
  if (type === GRE) return tunnelChecksumOf(tunnel) === 0 ? GRE_BYTES : GRE_CHECKSUM_BYTES;
  return 0;
}

/** Bytes that TUN puts in front of a packet. */
export function tunnelOverhead(translation: Translation): number {
  return (translation.destinationFamily === 4 ? IPV4_BYTES : IPV6_BYTES) +
    encapsulationBytes(translation.tunnel);
}

/** The same for a tunnel to a real server of this IP version. */
export function tunnelOverheadBytes(tunnel: Tunnel, family: 4 | 6): number {
  return (family === 4 ? IPV4_BYTES : IPV6_BYTES) + encapsulationBytes(packTunnel(tunnel));
}

/** Whether the outer packet of an IPv4 packet must not be fragmented. */
export function keepsWhole(packet: IpPacket, copyDontFragment: boolean): boolean {
  return packet.family === 4 && packet.dontFragment && copyDontFragment;
}

/**
 * Writes the outer headers in front of the packet, which needs {@linkcode tunnelOverhead} bytes there, and reads the packet
 * again: it is the outer one now.
 */
export function encapsulate(packet: IpPacket, translation: Translation, outer: Outer): void {
  const { bytes, end, at: innerAt } = packet;
  const at = innerAt - tunnelOverhead(translation);
  const protocol = writeEncapsulation(packet, translation, outer);
  const congestion = packet.tos & ECN.mask;
  const tos = congestion === ECN.congestion ? (packet.tos & ~ECN.mask) | ECN.ect0 : packet.tos;
  if (translation.destinationFamily === 4) {
    const isWhole = keepsWhole(packet, outer.copyDontFragment);
    writeIpv4(bytes, at, {
      tos,
      totalLength: end - at,
      id: isWhole ? 0 : outer.id,
      fragment: isWhole ? FRAGMENT.dont : 0,
      ttl: packet.ttl,
      protocol,
      source: outer.source[0] ?? 0,
      destination: translation.destination[0] ?? 0,
    });
  } else {
    writeIpv6(bytes, at, {
      trafficClass: tos,
      flowLabel: 0,
      payloadLength: end - at - IPV6_BYTES,
      nextHeader: protocol,
      hopLimit: packet.ttl,
      source: outer.source,
      destination: translation.destination,
    });
  }
  if (outer.isTrain !== true) {
    const between = innerAt - encapsulationBytes(translation.tunnel);
    if (protocol === IP_PROTOCOL.gre) sealGre(bytes, between, end, translation.tunnel);
    if (protocol === IP_PROTOCOL.udp) {
      sealUdp(bytes, at, between, end, translation.destinationFamily, translation.tunnel);
    }
  }
  packet.at = at;
  packet.end = end;
  packet.readAgain();
  // With its outer header a train may be longer than an IP header can say.
  packet.end = end;
}

/** Writes what stands between the IP headers; the outer header's protocol. */
function writeEncapsulation(packet: IpPacket, { tunnel }: Translation, outer: Outer): number {
  const { bytes, end, at } = packet;
  const inner = packet.family === 4 ? IP_PROTOCOL.ipip : IP_PROTOCOL.ipv6;
  const type = tunnelTypeOf(tunnel);
  if (type === GRE) {
    const ethertype = packet.family === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6;
    writeGre(bytes, at - encapsulationBytes(tunnel), ethertype, tunnelChecksumOf(tunnel) !== 0);
    return IP_PROTOCOL.gre;
  }
  if (type !== GUE) return inner;
  writeGue(bytes, at - GUE_BYTES, inner);
  const udp = at - GUE_BYTES - UDP_BYTES;
  put16(bytes, udp, flowPort(outer.flowHash));
  put16(bytes, udp + UDP.destinationPort, tunnelPortOf(tunnel));
  put16(bytes, udp + UDP.length, end - udp);
  put16(bytes, udp + UDP.checksum, 0);
  return IP_PROTOCOL.udp;
}

/** Gives GRE its checksum, if the tunnel has one. */
function sealGre(bytes: Uint8Array, gre: number, end: number, tunnel: number): void {
  if (tunnelChecksumOf(tunnel) === 0) return;
  put16(bytes, gre + 4, 0);
  put16(bytes, gre + 4, checksumOf(bytes, gre, end));
}

/** Gives the outer UDP header its checksum, if the tunnel has one. */
function sealUdp(
  bytes: Uint8Array,
  outerAt: number,
  udp: number,
  end: number,
  family: number,
  tunnel: number,
): void {
  if (tunnelChecksumOf(tunnel) === 0) return;
  put16(bytes, udp + UDP.checksum, 0);
  const addresses = outerAt + (family === 4 ? IPV4.source : IPV6.source);
  const pseudo = pseudoHeaderSum(bytes, addresses, family === 4 ? 4 : 16, IP_PROTOCOL.udp, end - udp);
  put16(bytes, udp + UDP.checksum, checksumOf(bytes, udp, end, pseudo) || 0xffff);
}

/** A source port for a flow, as `udp_flow_src_port`: one way through switches that spread by ports. */
export function flowPort(hash: number): number {
  const mixed = (hash ^ (hash << 16)) >>> 0;
  return FLOW_PORT.first + Math.floor(mixed * (FLOW_PORT.last - FLOW_PORT.first) / 0x1_0000_0000);
}
