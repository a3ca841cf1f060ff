/**
 * Fragments put together, as the kernel does before it lets IPVS look at them.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import { get32, put16 } from "../../packet/bytes.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import { FRAGMENT, IPV4, IPV4_MAX_BYTES, sealIpv4 } from "../../packet/ipv4.ts";
import { FRAGMENT_HEADER_BYTES, IPV6, IPV6_BYTES } from "../../packet/ipv6.ts";
import { HEADROOM_BYTES, type Passage } from "./passage.ts";

/** `net.ipv4.ipfrag_time`; IPv6 waits 60 s. */
const WAIT_MS = { 4: 30_000, 6: 60_000 } as const;

/** Roughly, for the objects around a small payload. */
const PIECE_OVERHEAD_BYTES = 256;

interface Piece {
  readonly offset: number;
  readonly payload: Uint8Array;
}

interface Datagram {
  readonly key: string;
  readonly family: 4 | 6;
  /** Headers in front of the payload, from the first fragment. */
  head: Uint8Array | undefined;
  /** The first fragment whole, for the error when time is up. */
  first: Uint8Array | undefined;
  pieces: Piece[];
  /** Payload bytes of the whole, -1 until the last fragment has come. */
  total: number;
  /** Where the piece that reaches furthest ends. */
  furthest: number;
  bytes: number;
  largest: number;
  largestUnbreakable: number;
  readonly untilMs: number;
  readonly interfaceIndex: number;
}

/** A datagram whose first fragment came and whose rest did not. */
export type OnIncomplete = (first: Uint8Array, interfaceIndex: number, nowMs: number) => void;

/** Datagrams that are not whole yet. */
export class Reassembly {
  readonly #waiting = new Map<string, Datagram>();
  readonly #onIncomplete: OnIncomplete;
  #bytes = 0;

  constructor(onIncomplete: OnIncomplete) {
    this.#onIncomplete = onIncomplete;
  }

  /** Takes a fragment in; true when the passage holds the whole datagram now. */
  add(passage: Passage, nowMs: number): boolean {
    const { packet } = passage;
    const payloadAt = packet.family === 4 ? packet.transport : packet.fragmentAt + FRAGMENT_HEADER_BYTES;
    const length = packet.end - payloadAt;
    const isLast = !packet.moreFragments;
    if ((!isLast && length % 8 !== 0) || length <= 0) return false;
    const datagram = this.#datagram(passage, nowMs);
    const end = packet.fragmentOffset + length;
    if (end > IPV4_MAX_BYTES || contradicts(datagram, end, isLast)) {
      this.#discard(datagram);
      return false;
    }
    const payload = packet.bytes.slice(payloadAt, packet.end);
    if (!this.#insert(datagram, { offset: packet.fragmentOffset, payload })) return false;
    if (isLast) datagram.total = end;
    datagram.furthest = Math.max(datagram.furthest, end);
    datagram.largest = Math.max(datagram.largest, packet.length);
    if (packet.dontFragment) {
      datagram.largestUnbreakable = Math.max(datagram.largestUnbreakable, packet.length);
    }
    if (packet.fragmentOffset === 0) {
      datagram.head = headOf(packet);
      datagram.first = packet.bytes.slice(packet.at, packet.end);
    }
    if (datagram.head === undefined || datagram.bytes !== datagram.total) return false;
    this.#discard(datagram);
    return fill(passage, datagram, datagram.head);
  }

  /** Drops what has waited too long, and says so. */
  advance(nowMs: number): void {
    for (const datagram of this.#waiting.values()) {
      if (datagram.untilMs > nowMs) continue;
      this.#discard(datagram);
      if (datagram.first !== undefined) this.#onIncomplete(datagram.first, datagram.interfaceIndex, nowMs);
    }
  }

  #datagram(passage: Passage, nowMs: number): Datagram {
    const key = keyOf(passage.packet);
    const known = this.#waiting.get(key);
    if (known !== undefined) return known;
    const { family } = passage.packet;
    const datagram: Datagram = {
      key,
      family,
      head: undefined,
      first: undefined,
      pieces: [],
      total: -1,
      furthest: 0,
      bytes: 0,
      largest: 0,
      largestUnbreakable: 0,
      untilMs: nowMs + WAIT_MS[family],
      interfaceIndex: passage.interfaceIndex,
    };
    this.#waiting.set(key, datagram);
    return datagram;
  }

  /** False for what was there already; overlapping pieces spoil the whole datagram (RFC 5722). */
  #insert(datagram: Datagram, piece: Piece): boolean {
    const end = piece.offset + piece.payload.length;
    const overlap = datagram.pieces.find((it) =>
      piece.offset < it.offset + it.payload.length && it.offset < end
    );
    if (overlap !== undefined) {
      const isRepeated = overlap.offset === piece.offset && overlap.payload.length === piece.payload.length;
      if (!isRepeated) this.#discard(datagram);
      return false;
    }
    if (datagram.pieces.length >= LIMITS.fragmentsPerDatagram) {
      this.#discard(datagram);
      return false;
    }
    datagram.pieces.push(piece);
    datagram.bytes += piece.payload.length;
    this.#bytes += costOf(piece);
    while (this.#bytes > LIMITS.fragmentBytes) {
      const oldest = this.#waiting.values().next();
      if (oldest.done === true) break;
      this.#discard(oldest.value);
      if (oldest.value === datagram) return false;
    }
    return true;
  }

  #discard(datagram: Datagram): void {
    if (!this.#waiting.delete(datagram.key)) return;
    for (const piece of datagram.pieces) this.#bytes -= costOf(piece);
  }
}

/** Something lies behind the end, or there are two ends: the datagram is corrupt (kernel 6.1, `ip_frag_queue`). */
function contradicts({ total, furthest }: Datagram, end: number, isLast: boolean): boolean {
  if (total >= 0 && (isLast ? end !== total : end > total)) return true;
  return isLast && end < furthest;
}

/** Bytes that a piece takes, with what is kept beside it. */
function costOf({ payload }: Piece): number {
  return payload.length + PIECE_OVERHEAD_BYTES;
}

function keyOf({ family, bytes, addressesAt, addressBytes, protocol, at, fragmentAt }: IpPacket): string {
  const addresses = bytes.subarray(addressesAt, addressesAt + 2 * addressBytes).join(".");
  const id = family === 4 ? get32(bytes, at + IPV4.id) >>> 16 : get32(bytes, fragmentAt + 4);
  return `${family} ${addresses} ${family === 4 ? protocol : 0} ${id}`;
}

/** What stands in front of the payload, without a fragment header. */
function headOf({ family, bytes, at, transport, fragmentAt }: IpPacket): Uint8Array {
  const head = bytes.slice(at, family === 4 ? transport : fragmentAt);
  if (family === 4) return head;
  // The header before the fragment header names what followed it.
  const next = bytes[fragmentAt] ?? 0;
  if (head.length === IPV6_BYTES) head[IPV6.nextHeader] = next;
  else head[lastHeaderAt(head)] = next;
  return head;
}

/** Where the last extension header of an unfragmentable part begins; its first byte names what follows. */
function lastHeaderAt(head: Uint8Array): number {
  let at = IPV6_BYTES;
  for (;;) {
    const next = at + ((head[at + 1] ?? 0) + 1) * 8;
    if (next >= head.length) return at;
    at = next;
  }
}

function fill(passage: Passage, datagram: Datagram, head: Uint8Array): boolean {
  const pieces = datagram.pieces.toSorted((a, b) => a.offset - b.offset);
  const size = head.length + datagram.total;
  if (size > IPV4_MAX_BYTES) return false;
  const bytes = new Uint8Array(HEADROOM_BYTES + size);
  bytes.set(head, HEADROOM_BYTES);
  for (const { offset, payload } of pieces) bytes.set(payload, HEADROOM_BYTES + head.length + offset);
  const limit = Math.max(datagram.largest, datagram.largestUnbreakable);
  if (datagram.family === 4) {
    const isUnbreakable = datagram.largestUnbreakable === datagram.largest;
    put16(bytes, HEADROOM_BYTES + IPV4.totalLength, size);
    put16(bytes, HEADROOM_BYTES + IPV4.fragment, isUnbreakable ? FRAGMENT.dont : 0);
    sealIpv4(bytes, HEADROOM_BYTES);
  } else {
    put16(bytes, HEADROOM_BYTES + IPV6.payloadLength, size - IPV6_BYTES);
  }
  const { mark, isLocal, interfaceIndex, isGroup } = passage;
  if (!passage.begin(bytes, HEADROOM_BYTES, bytes.length, interfaceIndex, isGroup)) return false;
  passage.mark = mark;
  passage.isLocal = isLocal;
  passage.fragmentLimit = limit;
  passage.fragmentSizes = pieces.map((it) => it.payload.length);
  return true;
}
