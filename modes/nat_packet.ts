/**
 * NAT on a packet: the destination of a request, the source of a reply, and both in what an ICMP error quotes.
 *
 * @module
 */
import { get16, get32, put16, put32 } from "../packet/bytes.ts";
import { checksumOf, foldSum, pseudoHeaderSum, replaced16, replaced32 } from "../packet/checksum.ts";
import { sealSctp } from "../packet/crc32c.ts";
import type { IpPacket } from "../packet/ip_packet.ts";
import { sealIpv4 } from "../packet/ipv4.ts";
import { checksumOffset, ICMP, IP_PROTOCOL } from "../packet/transport.ts";
import type { Translation } from "./translation.ts";

/** A UDP checksum of 0 says that there is none, so a computed 0 is sent as this. */
const MANGLED_ZERO = 0xffff;

/**
 * A request goes to the real server.
 *
 * @param partial the checksum field holds the pseudo-header's sum only, and a network card is to finish it
 */
export function translateRequest(packet: IpPacket, translation: Translation, partial = false): void {
  const { addressesAt, addressBytes } = packet;
  rewrite(
    packet,
    addressesAt + addressBytes,
    translation.destination,
    2,
    translation.destinationPort,
    partial,
  );
}

/** A reply seems to come from the virtual service. */
export function translateReply(packet: IpPacket, translation: Translation, partial = false): void {
  rewrite(packet, packet.addressesAt, translation.virtual, 0, translation.virtualPort, partial);
}

/** A client's ICMP error goes to the real server, about the packet as that one sent it. */
export function translateQuotedRequest(
  packet: IpPacket,
  quoted: IpPacket,
  translation: Translation,
): void {
  const { destination, destinationPort } = translation;
  putWords(packet, packet.addressesAt + packet.addressBytes, destination);
  putWords(quoted, quoted.addressesAt, destination);
  if (quoted.hasPorts) put16(quoted.bytes, quoted.transport, destinationPort);
  sealError(packet, quoted);
}

/** A real server's ICMP error seems to come from the virtual address, about the packet as the client sent it. */
export function translateQuotedReply(packet: IpPacket, quoted: IpPacket, translation: Translation): void {
  const { virtual, virtualPort } = translation;
  putWords(packet, packet.addressesAt, virtual);
  putWords(quoted, quoted.addressesAt + quoted.addressBytes, virtual);
  if (quoted.hasPorts) put16(quoted.bytes, quoted.transport + 2, virtualPort);
  sealError(packet, quoted);
}

/** Changes one address and the port beside it; `portAt` counts from the upper-layer header. */
function rewrite(
  packet: IpPacket,
  addressAt: number,
  address: Uint32Array,
  portAt: number,
  port: number,
  partial: boolean,
): void {
  const { bytes, transport, protocol, end } = packet;
  const checksumAt = packet.hasTransport ? checksumOffset(protocol) : -1;
  const field = transport + checksumAt;
  const isSummed = checksumAt >= 0 && !(protocol === IP_PROTOCOL.udp && get16(bytes, field) === 0);
  if (isSummed && !partial) changeChecksum(packet, field, addressAt, address, transport + portAt, port);
  if (partial && checksumAt >= 0) changePartial(packet, field, addressAt, address);
  const before = packet.hasPorts ? get16(bytes, transport + portAt) : port;
  putWords(packet, addressAt, address);
  if (packet.hasPorts) put16(bytes, transport + portAt, port);
  if (packet.family === 4) sealIpv4(bytes, packet.at);
  if (checksumAt >= 0 && !isSummed && !partial) sealUdp(packet, field);
  else if (protocol === IP_PROTOCOL.udp && !partial && get16(bytes, field) === 0) {
    put16(bytes, field, MANGLED_ZERO);
  }
  if (protocol === IP_PROTOCOL.sctp && packet.hasTransport && before !== port) {
    sealSctp(bytes, transport, end);
  }
  if (portAt === 0) packet.sourcePort = port;
  else packet.destinationPort = port;
}

function changeChecksum(
  packet: IpPacket,
  field: number,
  addressAt: number,
  address: Uint32Array,
  portAt: number,
  port: number,
): void {
  const { bytes } = packet;
  let checksum = replaced16(get16(bytes, field), get16(bytes, portAt), port);
  for (let i = 0; i * 4 < packet.addressBytes; i++) {
    checksum = replaced32(checksum, get32(bytes, addressAt + i * 4), address[i] ?? 0);
  }
  put16(bytes, field, checksum);
}

/** Only the addresses are in an unfinished checksum, and it is not complemented yet. */
function changePartial(packet: IpPacket, field: number, addressAt: number, address: Uint32Array): void {
  const { bytes } = packet;
  let checksum = ~get16(bytes, field) & 0xffff;
  for (let i = 0; i * 4 < packet.addressBytes; i++) {
    checksum = replaced32(checksum, get32(bytes, addressAt + i * 4), address[i] ?? 0);
  }
  put16(bytes, field, ~checksum & 0xffff);
}

/** A datagram that came without a checksum leaves with one, as from the kernel. */
function sealUdp(packet: IpPacket, field: number): void {
  const { bytes, transport, end, protocol } = packet;
  const pseudo = pseudoHeaderSum(
    bytes,
    packet.addressesAt,
    packet.addressBytes,
    protocol,
    end - transport,
  );
  put16(bytes, field, 0);
  put16(bytes, field, checksumOf(bytes, transport, end, pseudo) || MANGLED_ZERO);
}

/** The quoted transport checksum stays as it is: only eight bytes of its segment have to be there. */
function sealError(packet: IpPacket, quoted: IpPacket): void {
  const { bytes, at, transport, end } = packet;
  const field = transport + ICMP.checksum;
  if (packet.family === 4) {
    sealIpv4(bytes, at);
    sealIpv4(bytes, quoted.at);
    put16(bytes, field, 0);
    put16(bytes, field, checksumOf(bytes, transport, end));
    return;
  }
  const pseudo = pseudoHeaderSum(bytes, packet.addressesAt, 16, IP_PROTOCOL.icmpv6, end - transport);
  put16(bytes, field, 0);
  put16(bytes, field, checksumOf(bytes, transport, end, pseudo));
}

/** Whether an ICMP error's checksum is right; a wrong one must not become right by translation. */
export function isErrorIntact(packet: IpPacket): boolean {
  const { bytes, transport, end } = packet;
  const pseudo = packet.family === 4
    ? 0
    : pseudoHeaderSum(bytes, packet.addressesAt, 16, IP_PROTOCOL.icmpv6, end - transport);
  return checksumOf(bytes, transport, end, pseudo) === 0;
}

/** Finishes a checksum that was left to a network card. */
export function finishChecksum(packet: IpPacket): void {
  const checksumAt = packet.hasTransport ? checksumOffset(packet.protocol) : -1;
  if (checksumAt < 0) return;
  const { bytes, transport, end, protocol } = packet;
  const field = transport + checksumAt;
  const sum = pseudoHeaderSum(bytes, packet.addressesAt, packet.addressBytes, protocol, end - transport);
  put16(bytes, field, foldSum(0));
  const checksum = checksumOf(bytes, transport, end, sum);
  put16(bytes, field, protocol === IP_PROTOCOL.udp ? checksum || MANGLED_ZERO : checksum);
}

function putWords(packet: IpPacket, at: number, address: Uint32Array): void {
  for (let i = 0; i * 4 < packet.addressBytes; i++) put32(packet.bytes, at + i * 4, address[i] ?? 0);
}
