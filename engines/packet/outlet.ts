/**
 * The last step: a packet that may go goes to its neighbour, in fragments if it has to.
 *
 * @module
 */
import { ETHERNET_BYTES, ETHERTYPE, VLAN_TAG_BYTES, writeEthernet } from "../../packet/ethernet.ts";
import { IP_PROTOCOL } from "../../packet/transport.ts";
import { tunnelChecksumOf } from "../../modes/tunnel.ts";
import { finishChecksum } from "../../modes/nat_packet.ts";
import type { DropCounts } from "./drops.ts";
import { fragmentIpv4, fragmentIpv6 } from "./fragmenting.ts";
import type { IcmpErrors } from "./icmp_errors.ts";
import type { Link } from "./links.ts";
import type { Neighbours } from "./neighbours.ts";
import { HEADROOM_BYTES, Passage } from "./passage.ts";
import { TrainCutter } from "./train_cutter.ts";

/**
 * Puts a frame on a wire. A received frame stays as it is until its turn ends, one that was cut until
 * `LIMITS.packetSendFrames` more have come, and all others are used again as soon as the call returns. `passage`:
 * checksum and segments left to do.
 */
export type Emit = (
  link: Link,
  bytes: Uint8Array,
  from: number,
  to: number,
  passage: Passage | undefined,
) => void;

/** What sending needs. */
export interface OutletParts {
  readonly neighbours: Neighbours;
  readonly errors: IcmpErrors;
  readonly emit: Emit;
  readonly nextId: () => number;
  readonly drops: DropCounts;
}

/** What the length fields of IP can say. */
const LARGEST_PACKET = 65_535;
/** Bytes of the largest Ethernet header. */
const ETHERNET_ROOM = ETHERNET_BYTES + VLAN_TAG_BYTES;

/** Sends packets on links. */
export class Outlet {
  readonly #parts: OutletParts;
  readonly #cutter: TrainCutter;

  constructor(parts: OutletParts) {
    this.#parts = parts;
    this.#cutter = new TrainCutter(parts.nextId);
  }

  /** Memory that cut frames lie in. */
  get cutFrames(): Uint8Array<ArrayBuffer> {
    return this.#cutter.arena;
  }

  /**
   * Sends a packet to a neighbour.
   *
   * @param nextHop address of the neighbour as words, of the packet's family
   */
  send(passage: Passage, link: Link, nextHop: Uint32Array, nowMs: number): void {
    if (passage.isTunnelled) return this.#sendTrain(passage, link, nextHop, nowMs);
    const { packet, fragmentLimit, segmentBytes } = passage;
    const isLarge = segmentBytes === 0 && packet.length > link.mtu;
    if (!isLarge && (fragmentLimit === 0 || packet.length <= fragmentLimit)) {
      this.#pass(passage, link, nextHop, nowMs);
      return;
    }
    const isAllowed = packet.family === 4
      ? !packet.dontFragment || (passage.mayFragment && fragmentLimit <= link.mtu)
      : passage.mayFragment && fragmentLimit <= link.mtu;
    if (!isAllowed) {
      this.#parts.drops.count("too-big");
      this.#parts.errors.report(passage, "tooBig", nowMs, link.mtu);
      return;
    }
    // No network card sums up what leaves in several frames.
    if (passage.isPartial) finishChecksum(packet);
    passage.isPartial = false;
    const mtu = fragmentLimit > 0 ? Math.min(fragmentLimit, link.mtu) : link.mtu;
    const onPiece = (bytes: Uint8Array, at: number, end: number) =>
      this.#passBytes(bytes, at, end, packet.family, link, nextHop, nowMs);
    if (packet.family === 4) fragmentIpv4(passage, mtu, onPiece);
    else fragmentIpv6(packet, Math.max(mtu, 1_280), this.#parts.nextId(), onPiece);
  }

  /** A frame to a neighbour that has just become known. */
  sendWaiting(link: Link, mac: Uint8Array, bytes: Uint8Array, at: number, end: number): void {
    const ethertype = (bytes[at] ?? 0) >>> 4 === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6;
    const from = writeEthernet(bytes, at, mac, link.mac, ethertype, link.vlan);
    this.#parts.emit(link, bytes, from, end, undefined);
  }

  /** A super-packet in a tunnel goes whole where the system can tell what it is, else in pieces. */
  #sendTrain(passage: Passage, link: Link, nextHop: Uint32Array, nowMs: number): void {
    const { packet, inner } = passage;
    const mac = this.#parts.neighbours.find(link, packet.family, nextHop, nowMs);
    if (mac === undefined || passage.wireBytes > link.mtu) {
      return this.#cutter.cut(passage, 0, (bytes, at, to) => {
        const piece = Passage.own(bytes, at, to);
        piece.mayFragment = passage.mayFragment;
        this.send(piece, link, nextHop, nowMs);
      });
    }
    giveHeadroom(passage, ETHERNET_ROOM);
    const ethertype = packet.family === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6;
    const from = writeEthernet(packet.bytes, packet.at, mac, link.mac, ethertype, link.vlan);
    // A virtio header's kind of segments has to be that of the outer packet.
    const isLike = inner.protocol === IP_PROTOCOL.tcp && inner.family === packet.family &&
      tunnelChecksumOf(passage.tunnel) === 0;
    if (
      link.carriesTrains === true && link.vlan === 0 && isLike && packet.end - packet.at <= LARGEST_PACKET
    ) {
      return this.#parts.emit(link, packet.bytes, from, packet.end, passage);
    }
    const front = packet.at - from;
    this.#cutter.cut(
      passage,
      front,
      (bytes, at, to) => this.#parts.emit(link, bytes, at - front, to, undefined),
    );
  }

  #pass(passage: Passage, link: Link, nextHop: Uint32Array, nowMs: number): void {
    const { packet } = passage;
    const mac = this.#parts.neighbours.find(link, packet.family, nextHop, nowMs);
    if (mac === undefined) {
      // What waits is sent without a network card's help; a super-packet is what TCP sends only when all are known.
      if (passage.isPartial) finishChecksum(packet);
      passage.isPartial = false;
      this.#wait(packet.bytes, packet.at, packet.end, packet.family, link, nextHop, nowMs);
      return;
    }
    giveHeadroom(passage, ETHERNET_ROOM);
    const ethertype = packet.family === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6;
    const from = writeEthernet(packet.bytes, packet.at, mac, link.mac, ethertype, link.vlan);
    this.#parts.emit(link, packet.bytes, from, packet.end, passage);
  }

  #passBytes(
    bytes: Uint8Array,
    at: number,
    end: number,
    family: 4 | 6,
    link: Link,
    nextHop: Uint32Array,
    nowMs: number,
  ): void {
    const mac = this.#parts.neighbours.find(link, family, nextHop, nowMs);
    if (mac === undefined) this.#wait(bytes, at, end, family, link, nextHop, nowMs);
    else this.sendWaiting(link, mac, bytes, at, end);
  }

  #wait(
    bytes: Uint8Array,
    at: number,
    end: number,
    family: 4 | 6,
    link: Link,
    nextHop: Uint32Array,
    nowMs: number,
  ): void {
    const copy = new Uint8Array(HEADROOM_BYTES + end - at);
    copy.set(bytes.subarray(at, end), HEADROOM_BYTES);
    const packet = { bytes: copy, at: HEADROOM_BYTES, end: copy.length };
    this.#parts.neighbours.wait(link, family, nextHop, packet, nowMs);
  }
}

/** Makes sure that there are `room` bytes in front of the packet, by copying it when there are not. */
export function giveHeadroom({ packet }: Passage, room: number): void {
  if (packet.at >= room) return;
  const { bytes, at, end } = packet;
  const copy = new Uint8Array(HEADROOM_BYTES + end - at);
  copy.set(bytes.subarray(at, end), HEADROOM_BYTES);
  packet.bytes = copy;
  packet.at = HEADROOM_BYTES;
  packet.end = copy.length;
  packet.readAgain();
}
