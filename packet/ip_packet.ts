/**
 * One IP packet in a buffer, read once and kept as offsets and numbers.
 *
 * @module
 */
import type { Family } from "../net/address.ts";
import { get16, getAddress } from "./bytes.ts";
import { checksumOf } from "./checksum.ts";
import { FRAGMENT, IPV4, IPV4_BYTES, ipv4HeaderBytes } from "./ipv4.ts";
import { IPV6, IPV6_BYTES, Ipv6Chain, trafficClassOf } from "./ipv6.ts";
import { IP_PROTOCOL, SCTP_BYTES, TCP, TCP_BYTES, UDP_BYTES } from "./transport.ts";

const NOTHING = new Uint8Array(0);

/**
 * A view over an IPv4 or IPv6 packet. One object, refilled for each packet; it never reads outside its range and never
 * throws, whatever the bytes say.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { writeIpv4 } from "./ipv4.ts";
 *
 * const bytes = new Uint8Array(28);
 * writeIpv4(bytes, 0, {
 *   tos: 0, totalLength: 28, id: 1, fragment: 0, ttl: 64, protocol: 17, source: 0x0a000001, destination: 0x0a000002,
 * });
 * bytes.set([0x9c, 0x40, 0, 53, 0, 8, 0, 0], 20);
 * const packet = new IpPacket();
 * assert.ok(packet.read(bytes, 0, 28));
 * assert.deepEqual([packet.family, packet.sourcePort, packet.destinationPort], [4, 40_000, 53]);
 * assert.ok(!packet.read(bytes, 0, 27));
 * ```
 */
export class IpPacket {
  bytes: Uint8Array = NOTHING;
  /** Where the IP header begins. */
  at = 0;
  /** Where the packet ends, by its own length field. */
  end = 0;
  family: Family = 4;
  /** Upper-layer protocol, behind extension headers. */
  protocol = 0;
  /** Where the upper-layer header begins. */
  transport = 0;
  /** Offset of a fragment's payload in bytes; 0 for whole packets and first fragments. */
  fragmentOffset = 0;
  moreFragments = false;
  dontFragment = false;
  /** Where the IPv6 fragment header begins, 0 for none. */
  fragmentAt = 0;
  ttl = 0;
  /** TOS of IPv4, traffic class of IPv6. */
  tos = 0;
  /** The two ports can be read (TCP, UDP, SCTP; not a later fragment). */
  hasPorts = false;
  sourcePort = 0;
  destinationPort = 0;
  /** The whole upper-layer header is there (20 bytes of TCP, 8 of UDP, 12 of SCTP). */
  hasTransport = false;
  /** TCP flags, 0 for others. */
  tcpFlags = 0;
  readonly #chain = new Ipv6Chain();

  /** Bytes by the packet's own length field. */
  get length(): number {
    return this.end - this.at;
  }

  get isFragment(): boolean {
    return this.fragmentOffset !== 0 || this.moreFragments;
  }

  /** Bytes of one address. */
  get addressBytes(): number {
    return this.family === 4 ? 4 : 16;
  }

  /** Where the source address begins; the destination follows it. */
  get addressesAt(): number {
    return this.at + (this.family === 4 ? IPV4.source : IPV6.source);
  }

  readSource(into: Uint32Array): void {
    getAddress(this.bytes, this.addressesAt, this.addressBytes >> 2, into);
  }

  readDestination(into: Uint32Array): void {
    getAddress(this.bytes, this.addressesAt + this.addressBytes, this.addressBytes >> 2, into);
  }

  /** Reads the packet between `at` and `to`, as a host does that gets it: what is cut short or damaged is refused. */
  read(bytes: Uint8Array, at: number, to: number): boolean {
    if (!this.#readHeader(bytes, at, to, false)) return false;
    return this.family === 6 || checksumOf(bytes, at, at + ipv4HeaderBytes(bytes, at)) === 0;
  }

  /** Reads a packet that an ICMP error quotes: only its beginning has to be there. `end` is where the quotation ends. */
  readQuoted(bytes: Uint8Array, at: number, to: number): boolean {
    return this.#readHeader(bytes, at, to, true);
  }

  /** Reads again after the packet was changed in place. */
  readAgain(): void {
    this.#readHeader(this.bytes, this.at, this.end, true);
  }

  #readHeader(bytes: Uint8Array, at: number, to: number, quoted: boolean): boolean {
    this.bytes = bytes;
    this.at = at;
    this.end = at;
    if (at < 0 || to > bytes.length || to - at < IPV4_BYTES) return false;
    const version = (bytes[at] ?? 0) >>> 4;
    if (version === 4 ? !this.#readIpv4(to, quoted) : version !== 6 || !this.#readIpv6(to, quoted)) {
      return false;
    }
    this.#readTransport();
    return true;
  }

  #readIpv4(to: number, quoted: boolean): boolean {
    const { bytes, at } = this;
    const header = ipv4HeaderBytes(bytes, at);
    const total = get16(bytes, at + IPV4.totalLength);
    if (header < IPV4_BYTES || at + header > to) return false;
    if (!quoted && (total < header || at + total > to)) return false;
    this.family = 4;
    this.end = quoted ? Math.min(to, at + Math.max(header, total)) : at + total;
    this.protocol = bytes[at + IPV4.protocol] ?? 0;
    this.transport = at + header;
    const fragment = get16(bytes, at + IPV4.fragment);
    this.fragmentOffset = (fragment & FRAGMENT.offset) * 8;
    this.moreFragments = (fragment & FRAGMENT.more) !== 0;
    this.dontFragment = (fragment & FRAGMENT.dont) !== 0;
    this.fragmentAt = 0;
    this.ttl = bytes[at + IPV4.ttl] ?? 0;
    this.tos = bytes[at + IPV4.tos] ?? 0;
    return true;
  }

  #readIpv6(to: number, quoted: boolean): boolean {
    const { bytes, at } = this;
    if (to - at < IPV6_BYTES) return false;
    const total = IPV6_BYTES + get16(bytes, at + IPV6.payloadLength);
    if (!quoted && at + total > to) return false;
    this.family = 6;
    this.end = Math.min(to, at + total);
    const chain = this.#chain;
    if (!chain.walk(bytes, at, this.end)) return false;
    this.protocol = chain.protocol;
    this.transport = chain.at;
    this.fragmentOffset = chain.fragmentOffset;
    this.moreFragments = chain.moreFragments;
    this.fragmentAt = chain.fragmentAt;
    this.dontFragment = true;
    this.ttl = bytes[at + IPV6.hopLimit] ?? 0;
    this.tos = trafficClassOf(bytes, at);
    return true;
  }

  #readTransport(): void {
    const { bytes, transport, end, protocol } = this;
    const left = end - transport;
    const whole = headerBytesOf(protocol);
    const isFirst = this.fragmentOffset === 0;
    this.hasPorts = isFirst && whole > 0 && left >= 4;
    this.hasTransport = isFirst && whole > 0 && left >= whole;
    this.sourcePort = this.hasPorts ? get16(bytes, transport) : 0;
    this.destinationPort = this.hasPorts ? get16(bytes, transport + 2) : 0;
    this.tcpFlags = this.hasTransport && protocol === IP_PROTOCOL.tcp ? bytes[transport + TCP.flags] ?? 0 : 0;
  }
}

/** Bytes of the smallest header of a protocol with ports, 0 for others. */
function headerBytesOf(protocol: number): number {
  switch (protocol) {
    case IP_PROTOCOL.tcp:
      return TCP_BYTES;
    case IP_PROTOCOL.udp:
      return UDP_BYTES;
    case IP_PROTOCOL.sctp:
      return SCTP_BYTES;
    default:
      return 0;
  }
}
