/**
 * A super-packet in a tunnel (GSO), cut into the packets that it stands for: the outer header hides the inner one from network
 * cards, so nobody behind could do it.
 *
 * @module
 */
import { tunnelChecksumOf } from "../../modes/tunnel.ts";
import { get16, get32, put16, put32 } from "../../packet/bytes.ts";
import { foldSum, pseudoHeaderSum, WordSum } from "../../packet/checksum.ts";
import { ETHERNET_BYTES, VLAN_TAG_BYTES } from "../../packet/ethernet.ts";
import { FRAGMENT, IPV4, sealIpv4 } from "../../packet/ipv4.ts";
import { IPV6, IPV6_BYTES } from "../../packet/ipv6.ts";
import { IP_PROTOCOL, TCP, UDP } from "../../packet/transport.ts";
import type { Passage } from "./passage.ts";

/** Flags that only the last segment may carry (FIN, PSH), and only the first (CWR). */
const LAST_ONLY = 0x01 | 0x08;
const FIRST_ONLY = 0x80;
/** The packets of one super-packet, and some more that have not been sent yet. */
const ARENA_BYTES = 262_144;
/** In front of each packet: an offload (10 bytes) and Ethernet with a tag, and what makes its payload begin at a word. */
const FRONT_BYTES = 10 + ETHERNET_BYTES + VLAN_TAG_BYTES + 4;

/** A UDP checksum of 0 says that there is none, so a computed 0 is sent as this. */
const MANGLED_ZERO = 0xffff;
const GRE_CHECKSUM_AT = 4;

/** Takes one packet: the outer one lies between `at` and `to`. */
export type OnCut = (bytes: Uint8Array, at: number, to: number) => void;

/** Cuts one super-packet after the other. */
export class TrainCutter {
  /** Where the packets lie, each untouched until some hundred more have been cut. */
  readonly arena: Uint8Array<ArrayBuffer> = new Uint8Array(ARENA_BYTES);
  readonly #sum = new WordSum(this.arena.buffer);
  readonly #nextId: () => number;
  #next = 0;

  constructor(nextId: () => number) {
    this.#nextId = nextId;
  }

  /** @param frontBytes what stands in front of the outer header and comes along: Ethernet */
  cut(passage: Passage, frontBytes: number, onCut: OnCut): void {
    const { packet: { bytes, at, end }, inner, segmentBytes } = passage;
    const payload = at + inner.payload;
    const headers = bytes.subarray(at - frontBytes, payload);
    const { arena } = this;
    let from = payload;
    do {
      const size = Math.min(segmentBytes, end - from);
      const room = FRONT_BYTES + inner.payload + size + 4;
      if (this.#next + room > ARENA_BYTES) this.#next = 0;
      const target = (this.#next + FRONT_BYTES + inner.payload + 3) & ~3;
      this.#next += room;
      arena.set(headers, target - headers.length);
      arena.set(bytes.subarray(from, from + size), target);
      this.#finish(passage, target, size, from - payload, from + size === end);
      onCut(arena, target - inner.payload, target + size);
      from += segmentBytes;
    } while (from < end);
  }

  /** Makes the headers those of one segment, from the innermost outwards. */
  #finish(passage: Passage, payload: number, size: number, offset: number, isLast: boolean): void {
    const { arena } = this;
    const { inner, packet, segmentBytes } = passage;
    const at = payload - inner.payload;
    const innerAt = at + inner.at;
    const transport = at + inner.transport;
    const end = payload + size;
    if (inner.family === 4) {
      put16(arena, innerAt + IPV4.totalLength, end - innerAt);
      put16(arena, innerAt + IPV4.id, get16(arena, innerAt + IPV4.id) + offset / segmentBytes);
      sealIpv4(arena, innerAt);
    } else {
      put16(arena, innerAt + IPV6.payloadLength, end - innerAt - IPV6_BYTES);
    }
    if (inner.protocol === IP_PROTOCOL.tcp) {
      put32(arena, transport + TCP.sequence, get32(arena, transport + TCP.sequence) + offset);
      let flags = arena[transport + TCP.flags] ?? 0;
      if (!isLast) flags &= ~LAST_ONLY;
      if (offset > 0) flags &= ~FIRST_ONLY;
      arena[transport + TCP.flags] = flags;
    } else {
      put16(arena, transport + UDP.length, end - transport);
    }
    const pseudo = pseudoOf(arena, innerAt, transport, end, inner.family, inner.protocol);
    if (inner.protocol === IP_PROTOCOL.udp) this.#sealUdp(transport, end, pseudo);
    else this.#seal(transport, transport + TCP.checksum, end, pseudo);
    this.#finishOuter(passage, at, end, packet.family);
  }

  #finishOuter({ tunnel, packet }: Passage, at: number, end: number, family: 4 | 6): void {
    const { arena } = this;
    if (family === 4) {
      const isWhole = (get16(arena, at + IPV4.fragment) & FRAGMENT.dont) !== 0;
      put16(arena, at + IPV4.totalLength, end - at);
      put16(arena, at + IPV4.id, isWhole ? 0 : this.#nextId());
      sealIpv4(arena, at);
    } else {
      put16(arena, at + IPV6.payloadLength, end - at - IPV6_BYTES);
    }
    const between = at + (packet.transport - packet.at);
    if (packet.protocol === IP_PROTOCOL.udp) put16(arena, between + UDP.length, end - between);
    if (tunnelChecksumOf(tunnel) === 0) return;
    if (packet.protocol === IP_PROTOCOL.udp) {
      this.#sealUdp(between, end, pseudoOf(arena, at, between, end, family, IP_PROTOCOL.udp));
    } else if (packet.protocol === IP_PROTOCOL.gre) {
      this.#seal(between, between + GRE_CHECKSUM_AT, end, 0);
    }
  }

  #sealUdp(udp: number, end: number, pseudo: number): void {
    const field = udp + UDP.checksum;
    this.#seal(udp, field, end, pseudo);
    if (get16(this.arena, field) === 0) put16(this.arena, field, MANGLED_ZERO);
  }

  /** Sums up a range with its checksum in it. */
  #seal(from: number, field: number, end: number, pseudo: number): void {
    put16(this.arena, field, 0);
    put16(this.arena, field, ~foldSum(pseudo + this.#sum.of(from, end)) & 0xffff);
  }
}

function pseudoOf(
  bytes: Uint8Array,
  at: number,
  transport: number,
  end: number,
  family: 4 | 6,
  protocol: number,
): number {
  const [addresses, addressBytes] = family === 4 ? [IPV4.source, 4] : [IPV6.source, 16];
  return pseudoHeaderSum(bytes, at + addresses, addressBytes, protocol, end - transport);
}
