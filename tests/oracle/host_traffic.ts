/**
 * What the recorded director's host did beside directing: its sockets, and its upkeep of neighbours and groups.
 *
 * @module
 */
import { IpAddress } from "../../net/address.ts";
import { get16 } from "../../packet/bytes.ts";
import { EthernetHeader, ETHERTYPE, isGroupMac } from "../../packet/ethernet.ts";
import { IpPacket } from "../../packet/ip_packet.ts";
import { ICMPV6_TYPE, IP_PROTOCOL } from "../../packet/transport.ts";
import { DIRECTOR_MACS, isDirectorAddress } from "./capture_lab.ts";
import { isSentBy } from "./frame_origin.ts";
import type { CapturedFrame } from "./pcap.ts";

const SYN_ACK = 0x12;
/** What the host itself sends; what it forwards has less. */
const OWN_TTL = 64;
const ARP_REQUEST = 1;
/** Multicast listener reports (RFC 2710, 3810) and router solicitations. */
const GROUP_UPKEEP: readonly number[] = [131, 132, 133, 143];

/** TCP ports of the host on which somebody listens: it answered a SYN there by itself. */
export function hostConversations(
  frames: readonly (CapturedFrame & { readonly link: string })[],
): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const { link, bytes } of frames) {
    const packet = readIp(bytes);
    if (packet === undefined || !isSentBy(bytes, DIRECTOR_MACS[link])) continue;
    if (packet.protocol !== IP_PROTOCOL.tcp || packet.ttl !== OWN_TTL) continue;
    if ((packet.tcpFlags & SYN_ACK) === SYN_ACK && isFromDirector(packet)) ports.add(packet.sourcePort);
  }
  return ports;
}

/** Whether the host's own sockets sent the frame. */
export function isHostTraffic(bytes: Uint8Array, listeners: ReadonlySet<number>): boolean {
  const packet = readIp(bytes);
  return packet !== undefined && packet.protocol === IP_PROTOCOL.tcp && packet.ttl === OWN_TTL &&
    listeners.has(packet.sourcePort) && isFromDirector(packet);
}

/** Group membership reports, and the host's own questions after neighbours that it knows. */
export function isHousekeeping(bytes: Uint8Array): boolean {
  const ethernet = new EthernetHeader();
  if (!ethernet.read(bytes, 0, bytes.length)) return true;
  const isGroup = isGroupMac(bytes, 0);
  if (ethernet.ethertype === ETHERTYPE.arp) {
    return get16(bytes, ethernet.payload + 6) === ARP_REQUEST && !isGroup;
  }
  const packet = readIp(bytes);
  if (packet === undefined || packet.protocol !== IP_PROTOCOL.icmpv6) return false;
  const type = bytes[packet.transport] ?? 0;
  if (GROUP_UPKEEP.includes(type)) return true;
  if (type !== ICMPV6_TYPE.neighbourSolicitation) return false;
  const source = new Uint32Array(4);
  packet.readSource(source);
  return !isGroup || source.every((word) => word === 0);
}

function isFromDirector(packet: IpPacket): boolean {
  const words = new Uint32Array(4);
  packet.readSource(words);
  return isDirectorAddress(new IpAddress(packet.family, words));
}

function readIp(bytes: Uint8Array): IpPacket | undefined {
  const ethernet = new EthernetHeader();
  if (!ethernet.read(bytes, 0, bytes.length)) return undefined;
  const packet = new IpPacket();
  return packet.read(bytes, ethernet.payload, bytes.length) ? packet : undefined;
}
