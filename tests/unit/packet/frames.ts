/**
 * Frames for tests, put together from text.
 */
import { put16, put32 } from "../../../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../../../packet/checksum.ts";
import { parseMac, writeEthernet } from "../../../packet/ethernet.ts";
import { IPV4, IPV4_BYTES, writeIpv4 } from "../../../packet/ipv4.ts";
import { IPV6, IPV6_BYTES, writeIpv6 } from "../../../packet/ipv6.ts";
import { checksumOffset, IP_PROTOCOL, TCP, TCP_BYTES, UDP, UDP_BYTES } from "../../../packet/transport.ts";
import { IpAddress } from "../../../net/address.ts";

/** What a test says of a packet; the rest is usual. */
export interface PacketText {
  readonly source: string;
  readonly destination: string;
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** TCP flags. */
  readonly flags?: number;
  readonly payload?: Uint8Array;
  readonly ttl?: number;
  readonly tos?: number;
  readonly id?: number;
  /** Fragment word of IPv4. */
  readonly fragment?: number;
  /** IPv4 options, a multiple of 4 bytes. */
  readonly options?: Uint8Array;
}

/** An IP packet with right checksums. */
export function ipPacket(text: PacketText): Uint8Array {
  const source = IpAddress.parse(text.source);
  const destination = IpAddress.parse(text.destination);
  const { protocol = IP_PROTOCOL.udp, options = new Uint8Array(0), ttl = 64, tos = 0 } = text;
  const upper = upperLayer(text, protocol);
  const header = source.family === 4 ? IPV4_BYTES + options.length : IPV6_BYTES;
  const bytes = new Uint8Array(header + upper.length);
  if (source.family === 4) {
    writeIpv4(bytes, 0, {
      tos,
      totalLength: bytes.length,
      id: text.id ?? 1,
      fragment: text.fragment ?? 0,
      ttl,
      protocol,
      source: source.words[0] ?? 0,
      destination: destination.words[0] ?? 0,
    });
    bytes[0] = 0x40 | (header / 4);
    bytes.set(options, IPV4_BYTES);
    put16(bytes, IPV4.checksum, 0);
    put16(bytes, IPV4.checksum, checksumOf(bytes, 0, header));
  } else {
    writeIpv6(bytes, 0, {
      trafficClass: tos,
      flowLabel: 0,
      payloadLength: upper.length,
      nextHeader: protocol,
      hopLimit: ttl,
      source: source.words,
      destination: destination.words,
    });
  }
  bytes.set(upper, header);
  const offset = protocol === IP_PROTOCOL.icmpv6 ? 2 : checksumOffset(protocol);
  if (offset >= 0) {
    const at = source.family === 4 ? IPV4.source : IPV6.source;
    const pseudo = pseudoHeaderSum(bytes, at, source.family === 4 ? 4 : 16, protocol, upper.length);
    put16(bytes, header + offset, 0);
    put16(bytes, header + offset, checksumOf(bytes, header, bytes.length, pseudo));
  } else if (protocol === IP_PROTOCOL.icmp) {
    put16(bytes, header + 2, 0);
    put16(bytes, header + 2, checksumOf(bytes, header, bytes.length));
  }
  return bytes;
}

/** Bytes `from` to `to` behind the header of a whole IPv6 packet, as a fragment. */
export function ipv6Fragment(whole: Uint8Array, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(IPV6_BYTES + 8 + to - from);
  bytes.set(whole.subarray(0, IPV6_BYTES));
  put16(bytes, IPV6.payloadLength, 8 + to - from);
  bytes[IPV6.nextHeader] = 44;
  const word = from | (IPV6_BYTES + to < whole.length ? 1 : 0);
  bytes.set([whole[IPV6.nextHeader] ?? 0, 0, word >>> 8, word & 255, 0, 0, 0, 7], IPV6_BYTES);
  bytes.set(whole.subarray(IPV6_BYTES + from, IPV6_BYTES + to), IPV6_BYTES + 8);
  return bytes;
}

/** A frame around a packet. */
export function frame(packet: Uint8Array, from: string, to: string, vlan = 0): Uint8Array {
  const header = vlan === 0 ? 14 : 18;
  const bytes = new Uint8Array(header + packet.length);
  const ethertype = (packet[0] ?? 0) >>> 4 === 4 ? 0x0800 : 0x86dd;
  const [source, destination] = [parseMac(from), parseMac(to)];
  if (source === undefined || destination === undefined) throw new Error(`${from} or ${to} is not a MAC`);
  writeEthernet(bytes, header, destination, source, ethertype, vlan);
  bytes.set(packet, header);
  return bytes;
}

function upperLayer(text: PacketText, protocol: number): Uint8Array {
  const { sourcePort = 40_000, destinationPort = 80, payload = new Uint8Array(0) } = text;
  const header = protocol === IP_PROTOCOL.tcp ? TCP_BYTES : protocol === IP_PROTOCOL.udp ? UDP_BYTES : 0;
  const bytes = new Uint8Array(header + payload.length);
  bytes.set(payload, header);
  if (header === 0) return bytes;
  put16(bytes, 0, sourcePort);
  put16(bytes, 2, destinationPort);
  if (protocol === IP_PROTOCOL.udp) {
    put16(bytes, UDP.length, bytes.length);
    return bytes;
  }
  put32(bytes, TCP.sequence, 1_000);
  put32(bytes, TCP.acknowledgement, 2_000);
  bytes[TCP.dataOffset] = (TCP_BYTES / 4) << 4;
  bytes[TCP.flags] = text.flags ?? 0x02;
  put16(bytes, 14, 65_535);
  return bytes;
}
