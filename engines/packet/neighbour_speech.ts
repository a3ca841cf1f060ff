/**
 * ARP and neighbour discovery: answering for the engine's addresses, asking for those of others, saying where it is.
 *
 * @module
 */
import { IpAddress } from "../../net/address.ts";
import {
  ARP,
  ARP_BYTES,
  ARP_OPERATION,
  arpOperation,
  arpSender,
  arpTarget,
  isArp,
  writeArp,
} from "../../packet/arp.ts";
import { getAddress } from "../../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../../packet/checksum.ts";
import { BROADCAST_MAC, ETHERTYPE, MAC_BYTES, writeEthernet } from "../../packet/ethernet.ts";
import { IpPacket } from "../../packet/ip_packet.ts";
import { IPV6_BYTES } from "../../packet/ipv6.ts";
import {
  ADVERTISEMENT_FLAG,
  advertisementFlags,
  groupMac,
  NEIGHBOUR_BYTES,
  NEIGHBOUR_HOP_LIMIT,
  NEIGHBOUR_TARGET,
  neighbourMacAt,
  solicitedNode,
  writeNeighbourMessage,
} from "../../packet/neighbour_discovery.ts";
import { ICMPV6_TYPE, IP_PROTOCOL } from "../../packet/transport.ts";
import type { Link, Routes } from "./links.ts";
import type { Neighbours, WaitingPacket } from "./neighbours.ts";
import type { Emit } from "./outlet.ts";
import { HEADROOM_BYTES, type Passage } from "./passage.ts";

const NOBODY = new Uint8Array(MAC_BYTES);
const ALL_NODES = Uint32Array.of(0xff02_0000, 0, 0, 1);

/** What it speaks with. */
export interface SpeechParts {
  readonly routes: Routes;
  readonly neighbours: Neighbours;
  readonly emit: Emit;
}

/** Speaks to neighbours. */
export class NeighbourSpeech {
  readonly #parts: SpeechParts;
  readonly #address = new Uint32Array(4);
  readonly #target = new Uint32Array(4);
  readonly #waiting = new IpPacket();

  constructor(parts: SpeechParts) {
    this.#parts = parts;
  }

  /** An ARP message came in. */
  hearArp(link: Link, bytes: Uint8Array, at: number, to: number, nowMs: number): void {
    if (!isArp(bytes, at, to)) return;
    const sender = arpSender(bytes, at);
    const target = arpTarget(bytes, at);
    this.#target.fill(0);
    this.#target[0] = target;
    const isForUs = this.#parts.routes.findLocal(4, this.#target) !== undefined;
    const mac = bytes.slice(at + ARP.senderMac, at + ARP.senderMac + MAC_BYTES);
    if (sender !== 0) {
      this.#address.fill(0);
      this.#address[0] = sender;
      this.#parts.neighbours.learn(link, 4, this.#address, mac, isForUs, nowMs);
    }
    if (isForUs && arpOperation(bytes, at) === ARP_OPERATION.request && sender !== target) {
      this.#sendArp(link, mac, ARP_OPERATION.reply, target, mac, sender);
    }
  }

  /** An ICMPv6 packet came in; true when it was neighbour discovery. */
  hearIcmpv6(link: Link, { packet }: Passage, nowMs: number): boolean {
    const { bytes, transport, end } = packet;
    const type = bytes[transport];
    if (type !== ICMPV6_TYPE.neighbourSolicitation && type !== ICMPV6_TYPE.neighbourAdvertisement) {
      return false;
    }
    const length = end - transport;
    if (packet.ttl !== NEIGHBOUR_HOP_LIMIT || length < NEIGHBOUR_TARGET + 16) return true;
    const pseudo = pseudoHeaderSum(bytes, packet.addressesAt, 16, IP_PROTOCOL.icmpv6, length);
    if (checksumOf(bytes, transport, end, pseudo) !== 0) return true;
    getAddress(bytes, transport + NEIGHBOUR_TARGET, 4, this.#target);
    const macAt = neighbourMacAt(bytes, transport, end);
    const mac = macAt < 0 ? undefined : bytes.slice(macAt, macAt + MAC_BYTES);
    if (type === ICMPV6_TYPE.neighbourAdvertisement) {
      const isOverride = (advertisementFlags(bytes, transport) & ADVERTISEMENT_FLAG.override) !== 0;
      if (mac !== undefined && isOverride) {
        this.#parts.neighbours.learn(link, 6, this.#target, mac, false, nowMs);
      }
      return true;
    }
    if (this.#parts.routes.findLocal(6, this.#target) !== undefined) {
      this.#advertise(link, packet, mac, nowMs);
    }
    return true;
  }

  /** Asks for a neighbour's Ethernet address, with the address from which the waiting packet comes if it is ours. */
  ask(
    link: Link,
    family: 4 | 6,
    address: Uint32Array,
    mac: Uint8Array | undefined,
    waiting: WaitingPacket | undefined,
  ): void {
    const source = this.#ownSource(link, waiting) ?? this.#parts.routes.addressOn(link, family, address);
    if (source === undefined) return;
    if (family === 4) {
      const [own = 0] = source.words;
      this.#sendArp(
        link,
        mac ?? BROADCAST_MAC,
        ARP_OPERATION.request,
        own,
        mac ?? NOBODY,
        address[0] ?? 0,
      );
      return;
    }
    const group = solicitedNode(address);
    this.#sendNeighbour(link, mac ?? groupMac(group), {
      type: ICMPV6_TYPE.neighbourSolicitation,
      flags: 0,
      source: source.words,
      destination: mac === undefined ? group : address,
      target: address,
      mac: link.mac,
    });
  }

  /** `arp_solicit`, `ndisc_solicit`: IPv6 wants the address on this very link. */
  #ownSource(link: Link, waiting: WaitingPacket | undefined): IpAddress | undefined {
    const { routes } = this.#parts;
    if (waiting === undefined || !this.#waiting.read(waiting.bytes, waiting.at, waiting.end)) {
      return undefined;
    }
    this.#waiting.readSource(this.#address);
    const own = routes.findLocal(this.#waiting.family, this.#address);
    return own === undefined || (this.#waiting.family === 6 && own.link !== link) ? undefined : own.source;
  }

  /** Tells everybody on the link that an address is here now. */
  announce(link: Link, address: IpAddress): void {
    const { family, words } = address;
    if (family === 4) {
      const [word = 0] = words;
      this.#sendArp(link, BROADCAST_MAC, ARP_OPERATION.request, word, NOBODY, word);
      return;
    }
    this.#sendNeighbour(link, groupMac(ALL_NODES), {
      type: ICMPV6_TYPE.neighbourAdvertisement,
      flags: ADVERTISEMENT_FLAG.override,
      source: words,
      destination: ALL_NODES,
      target: words,
      mac: link.mac,
    });
  }

  #advertise(link: Link, packet: Passage["packet"], mac: Uint8Array | undefined, nowMs: number): void {
    packet.readSource(this.#address);
    // From nobody: somebody tries out the address (RFC 4862); everybody hears that it is taken.
    const isProbe = this.#address.every((word) => word === 0);
    if (!isProbe && mac !== undefined) {
      this.#parts.neighbours.learn(link, 6, this.#address, mac, true, nowMs);
    }
    const destination = isProbe ? ALL_NODES : this.#address;
    const to = isProbe
      ? groupMac(ALL_NODES)
      : mac ?? this.#parts.neighbours.find(link, 6, this.#address, nowMs);
    if (to === undefined) return;
    this.#sendNeighbour(link, to, {
      type: ICMPV6_TYPE.neighbourAdvertisement,
      flags: ADVERTISEMENT_FLAG.override | (isProbe ? 0 : ADVERTISEMENT_FLAG.solicited),
      source: this.#target,
      destination,
      target: this.#target,
      mac: link.mac,
    });
  }

  #sendArp(
    link: Link,
    to: Uint8Array,
    operation: number,
    sender: number,
    targetMac: Uint8Array,
    target: number,
  ): void {
    const bytes = new Uint8Array(HEADROOM_BYTES + ARP_BYTES);
    writeArp(bytes, HEADROOM_BYTES, operation, { mac: link.mac, address: sender }, {
      mac: targetMac,
      address: target,
    });
    const from = writeEthernet(bytes, HEADROOM_BYTES, to, link.mac, ETHERTYPE.arp, link.vlan);
    this.#parts.emit(link, bytes, from, bytes.length, undefined);
  }

  #sendNeighbour(link: Link, to: Uint8Array, message: Parameters<typeof writeNeighbourMessage>[2]): void {
    const bytes = new Uint8Array(HEADROOM_BYTES + IPV6_BYTES + NEIGHBOUR_BYTES);
    const end = writeNeighbourMessage(bytes, HEADROOM_BYTES, message);
    const from = writeEthernet(bytes, HEADROOM_BYTES, to, link.mac, ETHERTYPE.ipv6, link.vlan);
    this.#parts.emit(link, bytes, from, end, undefined);
  }
}
