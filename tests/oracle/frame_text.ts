/**
 * Frames in words: what one is, and what stands at one of its bytes.
 *
 * @module
 */
import { formatAddress } from "../../net/address.ts";
import { get16 } from "../../packet/bytes.ts";
import { EthernetHeader, ETHERTYPE, formatMac } from "../../packet/ethernet.ts";
import { IpPacket } from "../../packet/ip_packet.ts";
import { ICMP_BYTES, IP_PROTOCOL } from "../../packet/transport.ts";

const PROTOCOLS: ReadonlyMap<number, string> = new Map(
  Object.entries(IP_PROTOCOL).map(([name, number]) => [number, name]),
);

type Fields = readonly [from: number, name: string][];

const ETHERNET: Fields = [[0, "destination MAC"], [6, "source MAC"], [12, "ethertype"]];
const IPV4: Fields = [
  [0, "version"],
  [1, "TOS"],
  [2, "total length"],
  [4, "id"],
  [6, "fragment"],
  [8, "TTL"],
  [9, "protocol"],
  [10, "checksum"],
  [12, "source"],
  [16, "destination"],
  [20, "options"],
];
const IPV6: Fields = [
  [0, "traffic class"],
  [1, "flow label"],
  [4, "payload length"],
  [6, "next header"],
  [7, "hop limit"],
  [8, "source"],
  [24, "destination"],
  [40, "extension header"],
];
const TCP: Fields = [
  [0, "source port"],
  [2, "destination port"],
  [4, "sequence"],
  [8, "acknowledgement"],
  [12, "data offset"],
  [13, "flags"],
  [14, "window"],
  [16, "checksum"],
  [18, "urgent"],
  [20, "options and payload"],
];
const UDP: Fields = [[0, "source port"], [2, "destination port"], [4, "length"], [6, "checksum"], [
  8,
  "payload",
]];
const ICMP: Fields = [[0, "type"], [1, "code"], [2, "checksum"], [4, "rest"], [8, "payload"]];
const OTHER: Fields = [[0, "bytes"]];

const TRANSPORT: ReadonlyMap<number, Fields> = new Map([
  [IP_PROTOCOL.tcp, TCP],
  [IP_PROTOCOL.udp, UDP],
  [IP_PROTOCOL.icmp, ICMP],
  [IP_PROTOCOL.icmpv6, ICMP],
]);

/** A frame in a line. */
export function frameText(bytes: Uint8Array): string {
  const ethernet = new EthernetHeader();
  if (!ethernet.read(bytes, 0, bytes.length)) return `${bytes.length} bytes`;
  const macs = `${formatMac(bytes, 6)} > ${formatMac(bytes, 0)}`;
  if (ethernet.ethertype === ETHERTYPE.arp) return `ARP ${get16(bytes, ethernet.payload + 6)} ${macs}`;
  const packet = new IpPacket();
  if (!packet.readQuoted(bytes, ethernet.payload, bytes.length)) {
    return `ethertype ${ethernet.ethertype.toString(16)} ${macs}`;
  }
  return `${macs} ${packetText(packet)}`;
}

function packetText(packet: IpPacket): string {
  const [source, destination] = [new Uint32Array(4), new Uint32Array(4)];
  packet.readSource(source);
  packet.readDestination(destination);
  const side = (words: Uint32Array, port: number) =>
    `${formatAddress(packet.family, words)}${packet.hasPorts ? `.${port}` : ""}`;
  const name = PROTOCOLS.get(packet.protocol) ?? `protocol ${packet.protocol}`;
  const flags = packet.protocol === IP_PROTOCOL.tcp ? ` flags ${packet.tcpFlags.toString(16)}` : "";
  const sides = `${side(source, packet.sourcePort)} > ${side(destination, packet.destinationPort)}`;
  const fragment = packet.isFragment
    ? ` fragment ${packet.fragmentOffset}${packet.moreFragments ? "+" : ""}`
    : "";
  const type = name.startsWith("icmp")
    ? ` ${packet.bytes[packet.transport]}/${packet.bytes[packet.transport + 1]}`
    : "";
  return `${name}${type} ${sides}${flags}${fragment} ttl ${packet.ttl} ${packet.length} bytes`;
}

/** Name of the field that the byte at `at` belongs to. */
export function fieldAt(bytes: Uint8Array, at: number): string {
  const ethernet = new EthernetHeader();
  if (!ethernet.read(bytes, 0, bytes.length) || at < ethernet.payload) {
    return `Ethernet ${nameAt(ETHERNET, at)}`;
  }
  return ipFieldAt(bytes, ethernet.payload, at, "");
}

function ipFieldAt(bytes: Uint8Array, from: number, at: number, prefix: string): string {
  const packet = new IpPacket();
  if (!packet.readQuoted(bytes, from, bytes.length)) return `${prefix}byte ${at - from}`;
  const name = packet.family === 4 ? "IPv4" : "IPv6";
  if (at < packet.transport) {
    return `${prefix}${name} ${nameAt(packet.family === 4 ? IPV4 : IPV6, at - from)}`;
  }
  const offset = at - packet.transport;
  const { protocol } = packet;
  const isIcmp = protocol === IP_PROTOCOL.icmp || protocol === IP_PROTOCOL.icmpv6;
  if (isIcmp && offset >= ICMP_BYTES) {
    return ipFieldAt(bytes, packet.transport + ICMP_BYTES, at, `${prefix}quoted `);
  }
  if (protocol === IP_PROTOCOL.ipip || protocol === IP_PROTOCOL.ipv6) {
    return ipFieldAt(bytes, packet.transport, at, `${prefix}inner `);
  }
  const fields = TRANSPORT.get(protocol) ?? OTHER;
  return `${prefix}${PROTOCOLS.get(protocol) ?? protocol} ${nameAt(fields, offset)} (byte ${offset})`;
}

function nameAt(fields: Fields, offset: number): string {
  return fields.findLast(([from]) => from <= offset)?.[1] ?? `byte ${offset}`;
}
