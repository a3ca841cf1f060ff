/**
 * Compares what was sent with what the kernel's director sent, byte for byte but for what each chooses for itself:
 * the identification of IPv4 packets that the director itself makes (tunnel packets that may be fragmented, ICMP errors),
 * the source port of GUE packets, the flow label of its IPv6 packets.
 *
 * @module
 */
import { IpAddress } from "../../net/address.ts";
import { get16, get32, put16, put32 } from "../../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../../packet/checksum.ts";
import { EthernetHeader, ETHERTYPE } from "../../packet/ethernet.ts";
import { IpPacket } from "../../packet/ip_packet.ts";
import { IPV4, sealIpv4 } from "../../packet/ipv4.ts";
import { IP_PROTOCOL, TCP, UDP } from "../../packet/transport.ts";
import { isDirectorAddress } from "./capture_lab.ts";
import { fieldAt } from "./frame_text.ts";

/** Packets that the director makes itself start with this TTL; what it forwards has less. */
const OWN_TTL = 64;
const GUE_PORTS = { first: 32_768, last: 60_999 } as const;

/** Values that the kernel chose, and which of ours stands for each. */
export class Choices {
  readonly #ours = new Map<string, number>();
  readonly #theirs = new Map<string, number>();

  /** Whether the pair fits in with those before: the same stays the same, and different stays different. */
  agree(kind: string, theirs: number, ours: number): boolean {
    const known = this.#ours.get(`${kind} ${theirs}`);
    const owner = this.#theirs.get(`${kind} ${ours}`);
    if (known === undefined && owner === undefined) {
      this.#ours.set(`${kind} ${theirs}`, ours);
      this.#theirs.set(`${kind} ${ours}`, theirs);
      return true;
    }
    return known === ours && owner === theirs;
  }
}

/** What differs between our frame and the recorded one, undefined when nothing does that counts. */
export function compareFrames(
  ours: Uint8Array,
  recorded: Uint8Array,
  choices: Choices | undefined,
): string | undefined {
  if (ours.length !== recorded.length) return `has ${ours.length} bytes, recorded ${recorded.length}`;
  const mine = ours.slice();
  const difference = adoptChoices(mine, recorded, choices);
  if (difference !== undefined) return difference;
  const at = mine.findIndex((byte, i) => byte !== recorded[i]);
  if (at < 0) return undefined;
  return `${fieldAt(recorded, at)} is ${hex(mine, at)}, recorded ${hex(recorded, at)}`;
}

/** Takes over what the kernel chose, if our own checksums are right; they are made anew. */
function adoptChoices(
  ours: Uint8Array,
  recorded: Uint8Array,
  choices: Choices | undefined,
): string | undefined {
  const [mine, theirs] = [read(ours), read(recorded)];
  if (mine === undefined || theirs === undefined) return undefined;
  const { at, family, protocol, transport } = theirs;
  if (mine.family !== family || mine.protocol !== protocol || mine.transport !== transport) return undefined;
  if (family === 6 && theirs.fragmentAt > 0) {
    return adoptFragmentId(ours, recorded, theirs.fragmentAt, choices);
  }
  if (!isMadeByDirector(theirs)) return undefined;
  if (family === 6) {
    put32(ours, at, (get32(ours, at) & 0xfff0_0000) | (get32(recorded, at) & 0x000f_ffff));
    return undefined;
  }
  if (!theirs.dontFragment) {
    const [id, recordedId] = [get16(ours, at + IPV4.id), get16(recorded, at + IPV4.id)];
    const isPiece = theirs.isFragment && choices !== undefined;
    if (isPiece && !choices.agree("id", recordedId, id)) {
      return "id: fragments of one packet have different ones";
    }
    put16(ours, at + IPV4.id, recordedId);
    sealIpv4(ours, at);
  }
  return protocol === IP_PROTOCOL.udp && theirs.fragmentOffset === 0
    ? adoptSourcePort(ours, recorded, mine, choices)
    : undefined;
}

/** Datagrams of IPv6 that were put together are cut again under a number of the director's own. */
function adoptFragmentId(
  ours: Uint8Array,
  recorded: Uint8Array,
  at: number,
  choices: Choices | undefined,
): string | undefined {
  const [id, recordedId] = [get32(ours, at + 4), get32(recorded, at + 4)];
  if (choices !== undefined && !choices.agree("id6", recordedId, id)) {
    return "id: fragments of one packet have different ones";
  }
  put32(ours, at + 4, recordedId);
  return undefined;
}

function adoptSourcePort(
  ours: Uint8Array,
  recorded: Uint8Array,
  mine: IpPacket,
  choices: Choices | undefined,
): string | undefined {
  const { transport, end } = mine;
  const port = get16(ours, transport);
  if (port < GUE_PORTS.first || port > GUE_PORTS.last) return `GUE source port ${port} is not a local port`;
  if (choices !== undefined && !choices.agree("port", get16(recorded, transport), port)) {
    return "GUE source port changes within a connection, or is that of another";
  }
  const isSummed = get16(ours, transport + UDP.checksum) !== 0;
  const pseudo = () => pseudoHeaderSum(ours, mine.addressesAt, 4, IP_PROTOCOL.udp, end - transport);
  const isWhole = !mine.isFragment;
  if (isSummed && isWhole && checksumOf(ours, transport, end, pseudo()) !== 0) return "UDP checksum is wrong";
  put16(ours, transport, get16(recorded, transport));
  if (!isSummed) return undefined;
  if (!isWhole) {
    put16(ours, transport + UDP.checksum, get16(recorded, transport + UDP.checksum));
    return undefined;
  }
  put16(ours, transport + UDP.checksum, 0);
  put16(ours, transport + UDP.checksum, checksumOf(ours, transport, end, pseudo()) || 0xffff);
  return undefined;
}

/** Tunnel packets, and errors and resets from the director or its addresses. */
function isMadeByDirector(packet: IpPacket): boolean {
  const words = new Uint32Array(4);
  packet.readSource(words);
  if (!isDirectorAddress(new IpAddress(packet.family, words))) return false;
  switch (packet.protocol) {
    case IP_PROTOCOL.ipip:
    case IP_PROTOCOL.ipv6:
    case IP_PROTOCOL.gre:
      return packet.family === 4;
    case IP_PROTOCOL.udp:
      // Replies of NAT come from the virtual address, a tunnel from the director's own.
      return packet.family === 4 && (words[0] ?? 0) >>> 16 === 0xac10;
    case IP_PROTOCOL.icmp:
    case IP_PROTOCOL.icmpv6:
      // One less: it was about a reply, came back over the virtual address and went on to the real server.
      return packet.ttl === OWN_TTL || packet.ttl === OWN_TTL - 1;
    case IP_PROTOCOL.tcp:
      return packet.ttl === OWN_TTL && ((packet.bytes[packet.transport + TCP.flags] ?? 0) & 0x04) !== 0;
    default:
      return false;
  }
}

function read(bytes: Uint8Array): IpPacket | undefined {
  const ethernet = new EthernetHeader();
  if (!ethernet.read(bytes, 0, bytes.length)) return undefined;
  if (ethernet.ethertype !== ETHERTYPE.ipv4 && ethernet.ethertype !== ETHERTYPE.ipv6) return undefined;
  const packet = new IpPacket();
  return packet.read(bytes, ethernet.payload, bytes.length) ? packet : undefined;
}

function hex(bytes: Uint8Array, at: number): string {
  return [...bytes.subarray(at, at + 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
