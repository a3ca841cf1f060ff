/**
 * Packets of checks: they leave as clients' packets do, and what comes back to the director's own address goes to the checker.
 *
 * @module
 */
import { IpAddress } from "../../net/address.ts";
import { FORWARDING, Translation } from "../../modes/translation.ts";
import { get16 } from "../../packet/bytes.ts";
import { IPV4, ipv4HeaderBytes } from "../../packet/ipv4.ts";
import { IPV6, IPV6_BYTES } from "../../packet/ipv6.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import {
  checksumOffset,
  ICMP_BYTES,
  ICMP_TYPE,
  ICMP_UNREACHABLE,
  ICMPV6_TYPE,
  ICMPV6_UNREACHABLE,
  IP_PROTOCOL,
  TCP,
} from "../../packet/transport.ts";
import type { Routes } from "./links.ts";
import { ownPassage } from "./own_packet.ts";
import type { Transmit } from "./transmit.ts";

/** The way to one server; plain data. */
export interface ProbePath {
  readonly method: "dr" | "tun";
  /** Virtual address, and the server's. */
  readonly virtual: string;
  readonly server: string;
  /** See `packTunnel`. */
  readonly tunnel: number;
}

/** One packet of a check. */
export interface Probe {
  readonly path: ProbePath;
  readonly protocol: "tcp" | "udp";
  /** Header and payload; it begins with the port on this side. */
  readonly segment: Uint8Array;
}

/** A conversation that answers are waited for. */
interface Expected {
  readonly virtual: IpAddress;
  readonly protocol: number;
}

/** What probing needs. */
export interface ProbeParts {
  readonly routes: Routes;
  readonly transmit: Transmit;
  /** A segment came back to this port; an empty one means that the server's host calls the port closed. */
  readonly heard: (port: number, segment: Uint8Array) => void;
}

const NOTHING = new Uint8Array(0);

/** Sends packets of checks, and tells what comes back. */
export class ServerProbes {
  readonly #parts: ProbeParts;
  readonly #expected = new Map<number, Expected>();
  readonly #address = new Uint32Array(4);

  constructor(parts: ProbeParts) {
    this.#parts = parts;
  }

  /** Sends one; nothing when there is no way to the server. Answers are told until {@linkcode forget}. */
  send({ path, protocol, segment }: Probe, nowMs: number): void {
    const { routes, transmit } = this.#parts;
    const virtual = IpAddress.parse(path.virtual);
    const server = IpAddress.parse(path.server);
    const route = routes.findRemote(server.family, server.words);
    if (route === undefined) return;
    const source = routes.addressOn(route.link, virtual.family, virtual.words);
    if (source === undefined) return;
    const number = IP_PROTOCOL[protocol];
    this.#expected.set(get16(segment, TCP.sourcePort), { virtual, protocol: number });
    const passage = ownPassage({
      family: virtual.family,
      source: source.words,
      destination: virtual.words,
      protocol: number,
      tos: 0,
      id: undefined,
      message: segment,
      checksumAt: checksumOffset(number),
    });
    transmit.send(passage, translationOf(path, virtual, server), get16(segment, TCP.sourcePort), nowMs, true);
  }

  forget(port: number): void {
    this.#expected.delete(port);
  }

  /** Whether a packet from a virtual address answers a check; it is told then. */
  takes(packet: IpPacket): boolean {
    if (this.#expected.size === 0) return false;
    const { protocol, bytes, transport, end, destinationPort } = packet;
    if (protocol === IP_PROTOCOL.icmp || protocol === IP_PROTOCOL.icmpv6) return this.#hearClosed(packet);
    if (!packet.hasTransport || !this.#isExpected(packet, destinationPort, protocol)) return false;
    this.#parts.heard(destinationPort, bytes.slice(transport, end));
    return true;
  }

  /** Port unreachable, about a datagram of ours. */
  #hearClosed(packet: IpPacket): boolean {
    const { bytes, transport, end, family } = packet;
    const [type, code] = family === 4
      ? [ICMP_TYPE.destinationUnreachable, ICMP_UNREACHABLE.port]
      : [ICMPV6_TYPE.destinationUnreachable, ICMPV6_UNREACHABLE.port];
    if (bytes[transport] !== type || bytes[transport + 1] !== code) return false;
    const quoted = transport + ICMP_BYTES;
    const header = family === 4 ? ipv4HeaderBytes(bytes, quoted) : IPV6_BYTES;
    if (quoted + header + 4 > end) return false;
    const protocol = bytes[quoted + (family === 4 ? IPV4.protocol : IPV6.nextHeader)];
    const port = get16(bytes, quoted + header);
    if (protocol !== IP_PROTOCOL.udp || !this.#isExpected(packet, port, IP_PROTOCOL.udp)) return false;
    this.#parts.heard(port, NOTHING);
    return true;
  }

  /** Whether somebody waits for this at the port, from the address that sent it. */
  #isExpected(packet: IpPacket, port: number, protocol: number): boolean {
    const expected = this.#expected.get(port);
    if (expected === undefined || expected.protocol !== protocol) return false;
    this.#address.fill(0);
    packet.readSource(this.#address);
    const { family, words } = expected.virtual;
    return family === packet.family && words.every((word, i) => word === (this.#address[i]));
  }
}

function translationOf(path: ProbePath, virtual: IpAddress, server: IpAddress): Translation {
  const translation = new Translation();
  translation.method = FORWARDING[path.method];
  translation.family = virtual.family;
  translation.virtual.set(virtual.words);
  translation.destinationFamily = server.family;
  translation.destination.set(server.words);
  translation.tunnel = path.tunnel;
  return translation;
}
