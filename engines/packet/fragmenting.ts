/**
 * Packets larger than the way allows, in pieces: the kernel's `ip_do_fragment` and `ip6_fragment`.
 *
 * @module
 */
import { get16, put16, put32 } from "../../packet/bytes.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import { FRAGMENT, fragmentPayload, IPV4, IPV4_BYTES, sealIpv4 } from "../../packet/ipv4.ts";
import { EXTENSION, FRAGMENT_HEADER_BYTES, IPV6, IPV6_BYTES } from "../../packet/ipv6.ts";
import { HEADROOM_BYTES, type Passage } from "./passage.ts";

const OPTION = { end: 0, nothing: 1, copied: 0x80 } as const;

/** Takes one fragment: an IP packet in a buffer with headroom, which is used again for the next one. */
export type OnPiece = (bytes: Uint8Array, at: number, end: number) => void;

/** Sends an IPv4 packet in fragments of at most `mtu` bytes. */
export function fragmentIpv4(passage: Passage, mtu: number, onPiece: OnPiece): void {
  const { packet } = passage;
  const { bytes, at, end, transport } = packet;
  const headerBytes = transport - at;
  const word = get16(bytes, at + IPV4.fragment);
  const more = word & FRAGMENT.more;
  const first = word & FRAGMENT.offset;
  const piece = new Uint8Array(HEADROOM_BYTES + mtu);
  const header = bytes.slice(at, transport);
  let offset = 0;
  for (const size of sizesOf(passage, mtu, headerBytes)) {
    const from = transport + offset;
    piece.set(header, HEADROOM_BYTES);
    piece.set(bytes.subarray(from, from + size), HEADROOM_BYTES + headerBytes);
    const isLast = from + size >= end && more === 0;
    put16(piece, HEADROOM_BYTES + IPV4.totalLength, headerBytes + size);
    put16(piece, HEADROOM_BYTES + IPV4.fragment, (first + (offset >> 3)) | (isLast ? 0 : FRAGMENT.more));
    sealIpv4(piece, HEADROOM_BYTES);
    onPiece(piece, HEADROOM_BYTES, HEADROOM_BYTES + headerBytes + size);
    if (offset === 0) clearUncopiedOptions(header);
    offset += size;
  }
}

/** Sends an IPv6 packet, which has no fragment header, in fragments of at most `mtu` bytes. */
export function fragmentIpv6(packet: IpPacket, mtu: number, id: number, onPiece: OnPiece): void {
  const { bytes, at, end } = packet;
  const { splitAt, nextAt } = unfragmentable(packet);
  const headBytes = splitAt - at;
  const limit = (mtu - headBytes - FRAGMENT_HEADER_BYTES) & ~7;
  if (limit < 8) return;
  const piece = new Uint8Array(HEADROOM_BYTES + mtu);
  for (let offset = 0; splitAt + offset < end; offset += limit) {
    const from = splitAt + offset;
    const size = Math.min(limit, end - from);
    const fragmentAt = HEADROOM_BYTES + headBytes;
    piece.set(bytes.subarray(at, splitAt), HEADROOM_BYTES);
    piece[fragmentAt] = bytes[nextAt] ?? EXTENSION.none;
    piece[HEADROOM_BYTES + nextAt - at] = EXTENSION.fragment;
    piece[fragmentAt + 1] = 0;
    put16(piece, fragmentAt + 2, offset | (from + size < end ? 1 : 0));
    put32(piece, fragmentAt + 4, id);
    piece.set(bytes.subarray(from, from + size), fragmentAt + FRAGMENT_HEADER_BYTES);
    put16(
      piece,
      HEADROOM_BYTES + IPV6.payloadLength,
      headBytes - IPV6_BYTES + FRAGMENT_HEADER_BYTES + size,
    );
    onPiece(piece, HEADROOM_BYTES, fragmentAt + FRAGMENT_HEADER_BYTES + size);
  }
}

/**
 * Payload sizes of the fragments. What was put together from fragments that still fit leaves in the same ones; else each is
 * as large as may be.
 */
function sizesOf(passage: Passage, mtu: number, headerBytes: number): number[] {
  const { packet, fragmentSizes } = passage;
  const payload = packet.end - packet.transport;
  const most = fragmentPayload(mtu, headerBytes);
  const before = fragmentSizes.reduce((sum, size) => sum + size, 0);
  // An outer header and what came in front of the payload travel with the first fragment.
  const sizes = fragmentSizes.map((size, i) => i === 0 ? size + payload - before : size);
  const fits = sizes.length > 1 && payload >= before && !packet.isFragment &&
    sizes.every((size, i) => size <= mtu - headerBytes && (i === sizes.length - 1 || size % 8 === 0));
  if (fits) return sizes;
  const even: number[] = [];
  if (most === 0) return even;
  for (let left = payload; left > 0;) {
    const size = left <= mtu - headerBytes ? left : most;
    even.push(size);
    left -= size;
  }
  return even;
}

/** Only some options stand in later fragments (RFC 791); the others become nothing. */
function clearUncopiedOptions(header: Uint8Array): void {
  for (let at = IPV4_BYTES; at < header.length;) {
    const kind = header[at] ?? OPTION.end;
    if (kind === OPTION.end) return;
    const size = kind === OPTION.nothing ? 1 : header[at + 1] ?? 0;
    if (size < 1 || at + size > header.length) return;
    if ((kind & OPTION.copied) === 0) header.fill(OPTION.nothing, at, at + size);
    at += size;
  }
}

/** Where the part begins that is cut up, and which byte names it: behind hop-by-hop and routing headers. */
function unfragmentable({ bytes, at, transport }: IpPacket): { splitAt: number; nextAt: number } {
  let nextAt = at + IPV6.nextHeader;
  let splitAt = at + IPV6_BYTES;
  for (;;) {
    const next = bytes[nextAt] ?? EXTENSION.none;
    if (splitAt >= transport || (next !== EXTENSION.hopByHop && next !== EXTENSION.routing)) {
      return { splitAt, nextAt };
    }
    nextAt = splitAt;
    splitAt += ((bytes[splitAt + 1] ?? 0) + 1) * 8;
  }
}
