/**
 * One packet on its way through the director, with what the way has to know besides its bytes.
 *
 * @module
 */
import { IpPacket } from "../../packet/ip_packet.ts";
import { IP_PROTOCOL, TCP, UDP_BYTES } from "../../packet/transport.ts";

/** Of the interface that a packet of the host itself comes from. */
export const NO_INTERFACE = 0;

const NO_SIZES: readonly number[] = [];

/** Room in front of a packet for what may be put there: Ethernet with a tag (18), IPv6 (40), UDP and GUE (12). */
export const HEADROOM_BYTES = 96;

/** What is in a tunnel; places count from the outer header, and the payload is that of each segment. */
export interface InnerPacket {
  at: number;
  transport: number;
  payload: number;
  protocol: number;
  family: 4 | 6;
}

/** The kernel's `sk_buff`, as far as a director needs it. One object for received packets, refilled. */
export class Passage {
  readonly packet: IpPacket = new IpPacket();
  /** Index of the interface it came in by. */
  interfaceIndex: number = NO_INTERFACE;
  /** It was sent to a group or broadcast Ethernet address. */
  isGroup = false;
  /** Firewall mark. */
  mark = 0;
  /** The director has dealt with it and will not look at it again (`ipvs_property`). */
  isHandled = false;
  /** Its route leads to the host itself: what answers it speaks with the address it was sent to. */
  isLocal = false;
  /** May be fragmented although it says not to: what was checked before grew since (`ignore_df`). */
  mayFragment = false;
  /** Largest fragment it was put together from, 0 when it came whole; it must not leave in larger ones. */
  fragmentLimit = 0;
  /** Payload sizes of those fragments in their order. */
  fragmentSizes: readonly number[] = NO_SIZES;
  /** Its checksum holds the pseudo-header's sum only; a network card, or the receiver's kernel, finishes it. */
  isPartial = false;
  /** Payload of each segment when it stands for several (GSO), 0 for none. */
  segmentBytes = 0;
  /** The packet is the outer one of a tunnel, and its checksum or segments left to do are those of {@linkcode inner}. */
  isTunnelled = false;
  readonly inner: InnerPacket = { at: 0, transport: 0, payload: 0, protocol: 0, family: 4 };
  /** How it is tunnelled, as a word of the store. */
  tunnel = 0;

  /** Begins anew for a packet; false when it is none. */
  begin(bytes: Uint8Array, at: number, to: number, interfaceIndex: number, isGroup: boolean): boolean {
    this.interfaceIndex = interfaceIndex;
    this.isGroup = isGroup;
    this.mark = 0;
    this.isHandled = false;
    this.isLocal = false;
    this.mayFragment = false;
    this.fragmentLimit = 0;
    this.fragmentSizes = NO_SIZES;
    this.isTunnelled = false;
    return this.packet.read(bytes, at, to);
  }

  /** Bytes of the largest packet on the wire: of one segment when it stands for several. */
  get wireBytes(): number {
    const { packet, segmentBytes } = this;
    if (this.isTunnelled) return this.inner.payload + segmentBytes;
    if (segmentBytes === 0) return packet.length;
    return packet.transport - packet.at + segmentHeaderBytes(packet) + segmentBytes;
  }

  /** Notes the packet as the inner one of a tunnel that puts `outerBytes` in front of it. */
  enterTunnel(tunnel: number, outerBytes: number): void {
    const { packet, inner } = this;
    this.isTunnelled = true;
    this.tunnel = tunnel;
    inner.at = outerBytes;
    inner.transport = outerBytes + packet.transport - packet.at;
    inner.payload = inner.transport + segmentHeaderBytes(packet);
    inner.protocol = packet.protocol;
    inner.family = packet.family;
  }

  /** A passage for a packet that the director or its host sends. */
  static own(bytes: Uint8Array, at: number, to: number): Passage {
    const passage = new Passage();
    passage.begin(bytes, at, to, NO_INTERFACE, false);
    return passage;
  }
}

/** Bytes of the upper-layer header that every segment has. */
export function segmentHeaderBytes({ bytes, transport, protocol }: IpPacket): number {
  return protocol === IP_PROTOCOL.tcp ? ((bytes[transport + TCP.dataOffset] ?? 0) >>> 4) * 4 : UDP_BYTES;
}
