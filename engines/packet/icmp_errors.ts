/**
 * ICMP errors as the kernel writes them: what is quoted, who seems to send them, how often.
 *
 * @module
 */
import type { Family } from "../../net/address.ts";
import { put16, put32 } from "../../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../../packet/checksum.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import { IPV4_BYTES, writeIpv4 } from "../../packet/ipv4.ts";
import { IPV6, IPV6_BYTES, IPV6_MIN_MTU, writeIpv6 } from "../../packet/ipv6.ts";
import {
  ICMP,
  ICMP_BYTES,
  ICMP_TYPE,
  ICMP_UNREACHABLE,
  ICMPV6_TYPE,
  ICMPV6_UNREACHABLE,
  IP_PROTOCOL,
  isIcmpError,
  isIcmpv6Error,
} from "../../packet/transport.ts";
import { ErrorLimit } from "./error_limit.ts";
import { isUnicast, type Route, type Routes } from "./links.ts";
import { HEADROOM_BYTES, Passage } from "./passage.ts";

/** An error by what happened; the two families have their own numbers for it. */
export const PACKET_ERROR = {
  portUnreachable: {
    4: [ICMP_TYPE.destinationUnreachable, ICMP_UNREACHABLE.port],
    6: [ICMPV6_TYPE.destinationUnreachable, ICMPV6_UNREACHABLE.port],
  },
  hostUnreachable: {
    4: [ICMP_TYPE.destinationUnreachable, ICMP_UNREACHABLE.host],
    6: [ICMPV6_TYPE.destinationUnreachable, ICMPV6_UNREACHABLE.address],
  },
  protocolUnreachable: {
    4: [ICMP_TYPE.destinationUnreachable, ICMP_UNREACHABLE.protocol],
    6: [ICMPV6_TYPE.parameterProblem, 1],
  },
  noRoute: {
    4: [ICMP_TYPE.destinationUnreachable, ICMP_UNREACHABLE.net],
    6: [ICMPV6_TYPE.destinationUnreachable, ICMPV6_UNREACHABLE.noRoute],
  },
  tooBig: {
    4: [ICMP_TYPE.destinationUnreachable, ICMP_UNREACHABLE.fragmentationNeeded],
    6: [ICMPV6_TYPE.packetTooBig, 0],
  },
  timeExceeded: { 4: [ICMP_TYPE.timeExceeded, 0], 6: [ICMPV6_TYPE.timeExceeded, 0] },
  reassemblyTime: { 4: [ICMP_TYPE.timeExceeded, 1], 6: [ICMPV6_TYPE.timeExceeded, 1] },
  prohibited: {
    4: [ICMP_TYPE.destinationUnreachable, 13],
    6: [ICMPV6_TYPE.destinationUnreachable, ICMPV6_UNREACHABLE.prohibited],
  },
  hostProhibited: {
    4: [ICMP_TYPE.destinationUnreachable, 10],
    6: [ICMPV6_TYPE.destinationUnreachable, ICMPV6_UNREACHABLE.prohibited],
  },
  netProhibited: {
    4: [ICMP_TYPE.destinationUnreachable, 9],
    6: [ICMPV6_TYPE.destinationUnreachable, ICMPV6_UNREACHABLE.prohibited],
  },
} as const satisfies Record<string, Record<Family, readonly [type: number, code: number]>>;
export type PacketError = keyof typeof PACKET_ERROR;

/** An IPv4 error has at most 576 bytes (RFC 1812 section 4.3.2.3), an IPv6 one fits the smallest MTU. */
const IPV4_ERROR_BYTES = 576;
const ERROR_TTL = 64;
/** Precedence "internetwork control", and the bits of the type of service that are taken over. */
const TOS = { control: 0xc0, kept: 0x1e } as const;
/** `icmp_ratelimit` and `net.ipv6.icmp.ratelimit`: a second. */
const INTERVAL_MS = 1_000;

/** What writing errors needs. */
export interface ErrorParts {
  readonly routes: Routes;
  /** IPv4 identification of the next packet. */
  readonly nextId: () => number;
  /** Takes a finished error on its way, as a packet of the host. */
  readonly send: (error: Passage, nowMs: number) => void;
}

/** Writes ICMP errors. */
export class IcmpErrors {
  readonly #parts: ErrorParts;
  readonly #limit = new ErrorLimit();
  readonly #to = new Uint32Array(4);
  readonly #from = new Uint32Array(4);

  constructor(parts: ErrorParts) {
    this.#parts = parts;
  }

  /**
   * Tells the sender of a packet what became of it, if it may be told.
   *
   * @param info MTU for `tooBig`
   */
  report(about: Passage, error: PacketError, nowMs: number, info = 0): void {
    const [type, code] = PACKET_ERROR[error][about.packet.family];
    this.reportRaw(about, type, code, info, nowMs);
  }

  /** The same by type and code of the packet's family; `info` is the word behind the checksum. */
  reportRaw(about: Passage, type: number, code: number, info: number, nowMs: number): void {
    const { packet } = about;
    if (about.isGroup || packet.fragmentOffset !== 0 || isAboutError(packet)) return;
    packet.readSource(this.#to);
    packet.readDestination(this.#from);
    if (!isUnicast(packet.family, this.#to) || !isUnicast(packet.family, this.#from)) return;
    const route = this.#parts.routes.find(packet.family, this.#to);
    if (route === undefined || !this.#isAllowed(packet.family, type, code, route, nowMs)) return;
    const source = about.isLocal ? this.#from : route.source.words;
    const passage = packet.family === 4
      ? this.#writeIpv4(packet, type, code, info, source)
      : this.#writeIpv6(packet, type, code, info, source);
    this.#parts.send(passage, nowMs);
  }

  #isAllowed(family: Family, type: number, code: number, route: Route, nowMs: number): boolean {
    if (route.isLocal) return true;
    if (family === 4) {
      const isTooBig = type === ICMP_TYPE.destinationUnreachable &&
        code === ICMP_UNREACHABLE.fragmentationNeeded;
      return isTooBig || this.#limit.allow(4, this.#to, INTERVAL_MS, nowMs);
    }
    if (type === ICMPV6_TYPE.packetTooBig) return true;
    // The kernel gives wider networks more: half the interval for each 32 bits less of the route's prefix.
    const { length } = route.prefix;
    const intervalMs = length < 128 ? INTERVAL_MS / 2 ** ((128 - length) >> 5) : INTERVAL_MS;
    return this.#limit.allow(6, this.#to, intervalMs, nowMs);
  }

  #writeIpv4(about: IpPacket, type: number, code: number, info: number, source: Uint32Array): Passage {
    const quoted = Math.min(about.length, IPV4_ERROR_BYTES - IPV4_BYTES - ICMP_BYTES);
    const total = IPV4_BYTES + ICMP_BYTES + quoted;
    const bytes = new Uint8Array(HEADROOM_BYTES + total);
    writeIpv4(bytes, HEADROOM_BYTES, {
      tos: (about.tos & TOS.kept) | TOS.control,
      totalLength: total,
      id: this.#parts.nextId(),
      fragment: 0,
      ttl: ERROR_TTL,
      protocol: IP_PROTOCOL.icmp,
      source: source[0] ?? 0,
      destination: this.#to[0] ?? 0,
    });
    const icmp = HEADROOM_BYTES + IPV4_BYTES;
    writeIcmp(bytes, icmp, type, code, info);
    bytes.set(about.bytes.subarray(about.at, about.at + quoted), icmp + ICMP_BYTES);
    put16(bytes, icmp + ICMP.checksum, checksumOf(bytes, icmp, bytes.length));
    return Passage.own(bytes, HEADROOM_BYTES, bytes.length);
  }

  #writeIpv6(about: IpPacket, type: number, code: number, info: number, source: Uint32Array): Passage {
    const quoted = Math.min(about.length, IPV6_MIN_MTU - IPV6_BYTES - ICMP_BYTES);
    const bytes = new Uint8Array(HEADROOM_BYTES + IPV6_BYTES + ICMP_BYTES + quoted);
    writeIpv6(bytes, HEADROOM_BYTES, {
      trafficClass: 0,
      flowLabel: 0,
      payloadLength: ICMP_BYTES + quoted,
      nextHeader: IP_PROTOCOL.icmpv6,
      hopLimit: ERROR_TTL,
      source,
      destination: this.#to,
    });
    const icmp = HEADROOM_BYTES + IPV6_BYTES;
    writeIcmp(bytes, icmp, type, code, info);
    bytes.set(about.bytes.subarray(about.at, about.at + quoted), icmp + ICMP_BYTES);
    const pseudo = pseudoHeaderSum(
      bytes,
      HEADROOM_BYTES + IPV6.source,
      16,
      IP_PROTOCOL.icmpv6,
      bytes.length - icmp,
    );
    put16(bytes, icmp + ICMP.checksum, checksumOf(bytes, icmp, bytes.length, pseudo));
    return Passage.own(bytes, HEADROOM_BYTES, bytes.length);
  }
}

function writeIcmp(bytes: Uint8Array, at: number, type: number, code: number, info: number): void {
  put16(bytes, at, (type << 8) | code);
  put16(bytes, at + ICMP.checksum, 0);
  put32(bytes, at + ICMP.rest, info);
}

/** Nobody answers an error with an error; one that cannot be read counts as one. */
function isAboutError({ family, protocol, bytes, transport, end }: IpPacket): boolean {
  const type = transport < end ? bytes[transport] ?? 0 : -1;
  if (family === 4) return protocol === IP_PROTOCOL.icmp && (type < 0 || isIcmpError(type));
  return protocol === IP_PROTOCOL.icmpv6 && (type < 0 || isIcmpv6Error(type));
}
