/**
 * The director's functions on the hooks: requests in, replies out, and the ICMP errors about both.
 *
 * @module
 */
import { SCTP_EVENT } from "../../director/sctp_states.ts";
import type { Director } from "../../director/director.ts";
import { ACTION, type Verdict } from "../../director/verdict.ts";
import { type HookVerdict, VERDICT } from "../../hooks/hook.ts";
import { isErrorIntact, translateQuotedReply, translateReply } from "../../modes/nat_packet.ts";
import { FORWARDING, Translation } from "../../modes/translation.ts";
import { DIRECTION, Flow, isIpsec, NO_ENTRY, PROTOCOL } from "../../net/flow.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import { ICMP_BYTES, ICMP_TYPE, IP_PROTOCOL, isIcmpv6Error, UDP_BYTES } from "../../packet/transport.ts";
import type { DropCounts } from "./drops.ts";
import type { IcmpErrors } from "./icmp_errors.ts";
import { NO_INTERFACE, type Passage } from "./passage.ts";
import type { Reassembly } from "./reassembly.ts";
import { hasSctpChunk, sctpEventOf } from "./sctp_event.ts";
import type { Transmit } from "./transmit.ts";
import type { TunnelErrors } from "./tunnel_errors.ts";

/** What the functions work with. */
export interface PathParts {
  readonly director: Director;
  readonly transmit: Transmit;
  readonly errors: IcmpErrors;
  readonly tunnelErrors: TunnelErrors;
  readonly reassembly: Reassembly;
  readonly drops: DropCounts;
  /** A second view, for what an ICMP error quotes. */
  readonly quoted: IpPacket;
  /** A connection began. */
  readonly onNew?: ((entry: number, flow: Flow) => void) | undefined;
}

/** The director between the hooks. */
export class DirectorPath {
  readonly #parts: PathParts;
  readonly #flow = new Flow();
  readonly #translation = new Translation();
  #hostHasAsked = false;

  /** The packet that the director is being asked about, for persistence engines that read datagrams. */
  #asked: IpPacket;

  constructor(parts: PathParts) {
    this.#parts = parts;
    this.#asked = parts.quoted;
    this.#flow.payload = { payload: () => payloadOf(this.#asked) };
  }

  /** A request for a virtual service: INPUT at 99, OUTPUT at -98. */
  request(passage: Passage, nowMs: number): HookVerdict {
    const { packet } = passage;
    // A packet to everybody's Ethernet address is nobody's request, whatever its IP address says.
    if (passage.isGroup || !this.#isAsked(passage)) return VERDICT.accept;
    if (isError(packet)) return this.relatedRequest(passage, nowMs);
    if (!isConnected(packet.protocol)) {
      // Whatever is in the tunnel is left alone too, when it comes out on this host.
      if (this.#parts.director.sysctl.ignore_tunneled !== 0) passage.isHandled = true;
      return VERDICT.accept;
    }
    if (hasPorts(packet.protocol) && !packet.hasTransport) {
      return packet.fragmentOffset === 0 ? this.#drop() : VERDICT.accept;
    }
    const flow = this.#flow;
    readSides(packet, flow.client, flow.virtual);
    flow.clientPort = packet.sourcePort;
    flow.virtualPort = packet.destinationPort;
    const verdict = this.#ask(passage, DIRECTION.input, nowMs);
    switch (verdict.action) {
      case ACTION.accept:
        // Nobody knows it, and it does not say what it is (`sctp_conn_schedule`).
        return packet.protocol === PROTOCOL.sctp && !hasSctpChunk(packet) ? this.#drop() : VERDICT.accept;
      case ACTION.reject:
        this.#parts.errors.report(passage, "portUnreachable", nowMs);
        return this.#drop();
      case ACTION.drop:
        return this.#drop();
      default:
        return this.#forward(passage, verdict, nowMs);
    }
  }

  /**
   * INPUT at 98: a real server's reply to a client on this host. Nothing can come of it before such a client has asked, and
   * asking the director for each request would cost a search, and a count among what was not forwarded.
   */
  hostReply(passage: Passage, nowMs: number): HookVerdict {
    const isPossible = this.#hostHasAsked || this.#parts.director.sysctl.nat_icmp_send !== 0;
    if (!isPossible) return VERDICT.accept;
    // Real servers call clients, not the director: it cannot read a call that comes here (`__ip_vs_rs_conn_out`).
    const flow = this.#flow;
    const { payload } = flow;
    flow.payload = undefined;
    const verdict = this.reply(passage, nowMs);
    flow.payload = payload;
    return verdict;
  }

  /** A reply of a real server: FORWARD at 100, OUTPUT at -99. */
  reply(passage: Passage, nowMs: number): HookVerdict {
    const { packet } = passage;
    if (!this.#isAsked(passage)) return VERDICT.accept;
    if (!isConnected(packet.protocol) && !isIcmp(packet)) return VERDICT.accept;
    // Fragments of AH and ESP say as much as the whole: they are translated one by one.
    if (!isIpsec(packet.protocol) && !this.#isWhole(passage, nowMs)) return VERDICT.stolen;
    if (isIcmp(packet)) return isError(packet) ? this.#relatedReply(passage, nowMs) : VERDICT.accept;
    if (hasPorts(packet.protocol) && !packet.hasPorts) return VERDICT.accept;
    const flow = this.#flow;
    readSides(packet, flow.virtual, flow.client);
    flow.virtualPort = packet.sourcePort;
    flow.clientPort = packet.destinationPort;
    const verdict = this.#ask(passage, DIRECTION.output, nowMs);
    if (verdict.action === ACTION.accept) return VERDICT.accept;
    if (verdict.action === ACTION.reject) this.#parts.errors.report(passage, "portUnreachable", nowMs);
    if (verdict.action !== ACTION.forward) return this.#drop();
    const translation = this.#translation;
    this.#parts.director.readTranslation(flow, verdict, translation);
    if (translation.method === FORWARDING.nat) translateReply(packet, translation, passage.isPartial);
    passage.isHandled = true;
    return VERDICT.accept;
  }

  /** An ICMP error from a client's side: part of {@linkcode request}, and FORWARD at 99. */
  relatedRequest(passage: Passage, nowMs: number): HookVerdict {
    const { packet } = passage;
    const { quoted, director } = this.#parts;
    if (!this.#isAsked(passage) || !isIcmp(packet)) return VERDICT.accept;
    if (!this.#isWhole(passage, nowMs)) return VERDICT.stolen;
    if (!isError(packet) || !this.#readQuoted(packet)) return VERDICT.accept;
    const tunnel = this.#parts.tunnelErrors.hear(passage, quoted, nowMs);
    if (tunnel !== undefined) return tunnel;
    if (!isReadable(quoted)) return VERDICT.accept;
    const flow = this.#flow;
    // What is quoted came from the other side, so its addresses stand in reverse.
    readSides(quoted, flow.virtual, flow.client);
    flow.virtualPort = quoted.sourcePort;
    flow.clientPort = quoted.destinationPort;
    this.#begin(passage, quoted.protocol, quoted.family);
    const isIntact = this.#askRelated(packet);
    const verdict = director.related(flow, DIRECTION.input, isIntact ? packet.length : 0, nowMs);
    if (verdict.action === ACTION.accept) return VERDICT.accept;
    if (verdict.action !== ACTION.forward && verdict.action !== ACTION.bypass) return this.#drop();
    const translation = this.#translation;
    director.readTranslation(flow, verdict, translation);
    if (translation.method !== FORWARDING.nat) {
      if (!isIntact) this.#countDamaged(DIRECTION.input, packet, nowMs);
      return this.#parts.transmit.send(passage, translation, 0, nowMs, true);
    }
    if (!isIntact) return this.#drop("damaged");
    return this.#parts.transmit.sendRelated(passage, quoted, translation, nowMs);
  }

  #relatedReply(passage: Passage, nowMs: number): HookVerdict {
    const { packet } = passage;
    const { quoted, director } = this.#parts;
    if (!this.#readQuoted(packet)) return VERDICT.accept;
    if (!isReadable(quoted)) return VERDICT.accept;
    const flow = this.#flow;
    readSides(quoted, flow.client, flow.virtual);
    flow.clientPort = quoted.sourcePort;
    flow.virtualPort = quoted.destinationPort;
    this.#begin(passage, quoted.protocol, quoted.family);
    const isIntact = this.#askRelated(packet);
    const verdict = director.related(flow, DIRECTION.output, isIntact ? packet.length : 0, nowMs);
    if (verdict.action !== ACTION.forward) return VERDICT.accept;
    const translation = this.#translation;
    director.readTranslation(flow, verdict, translation);
    if (translation.method === FORWARDING.nat) {
      if (!isIntact) return this.#drop("damaged");
      translateQuotedReply(packet, quoted, translation);
    } else if (!isIntact) this.#countDamaged(DIRECTION.output, packet, nowMs);
    passage.isHandled = true;
    return VERDICT.accept;
  }

  /** Asks the director about the packet itself. */
  #ask(passage: Passage, direction: 0 | 1, nowMs: number): Verdict {
    const { packet } = passage;
    this.#asked = packet;
    this.#begin(passage, packet.protocol, packet.family);
    const flags = packet.protocol === PROTOCOL.tcp
      ? packet.tcpFlags
      : packet.protocol === PROTOCOL.sctp
      ? sctpEventOf(packet)
      : SCTP_EVENT.data;
    return this.#parts.director.segment(this.#flow, direction, flags, packet.length, nowMs);
  }

  #begin(passage: Passage, protocol: number, family: 4 | 6): void {
    const flow = this.#flow;
    flow.protocol = protocol;
    flow.family = family;
    flow.mark = passage.mark;
    flow.entry = NO_ENTRY;
    flow.packets = 1;
  }

  #forward(passage: Passage, verdict: Verdict, nowMs: number): HookVerdict {
    if (passage.interfaceIndex === NO_INTERFACE) this.#hostHasAsked = true;
    if (verdict.isNew) this.#parts.onNew?.(verdict.entry, this.#flow);
    this.#parts.director.readTranslation(this.#flow, verdict, this.#translation);
    const { client, clientPort, virtualPort } = this.#flow;
    const hash = Math.imul(
      (client[0] ?? 0) ^ (client[3] ?? 0) ^ (clientPort << 16) ^ virtualPort,
      0x9e3779b1,
    );
    return this.#parts.transmit.send(passage, this.#translation, hash, nowMs, false);
  }

  /** Without a service of the family the director hangs on no hook. */
  #isAsked({ isHandled, packet }: Passage): boolean {
    return !isHandled && this.#parts.director.directs(packet.family);
  }

  /** IPv6 was put together when it arrived, IPv4 is here: `ip_vs_gather_frags`. */
  #isWhole(passage: Passage, nowMs: number): boolean {
    return !passage.packet.isFragment || passage.packet.family === 6 ||
      this.#parts.reassembly.add(passage, nowMs);
  }

  /** Reads what an error quotes. */
  #readQuoted(packet: IpPacket): boolean {
    const { quoted } = this.#parts;
    return quoted.readQuoted(packet.bytes, packet.transport + ICMP_BYTES, packet.end) &&
      quoted.family === packet.family;
  }

  /** A damaged error of NAT is dropped once its connection is found, and counted nowhere. */
  #askRelated(packet: IpPacket): boolean {
    const isIntact = isErrorIntact(packet);
    this.#flow.packets = isIntact ? 1 : 0;
    return isIntact;
  }

  /** Only NAT looks at checksums: the others pass it on. */
  #countDamaged(direction: 0 | 1, packet: IpPacket, nowMs: number): void {
    this.#flow.packets = 1;
    this.#parts.director.related(this.#flow, direction, packet.length, nowMs);
  }

  #drop(reason: "director" | "damaged" = "director"): HookVerdict {
    this.#parts.drops.count(reason);
    return VERDICT.drop;
  }
}

/** What is behind a UDP header. */
function payloadOf({ bytes, transport, end }: IpPacket): Uint8Array {
  return bytes.subarray(Math.min(end, transport + UDP_BYTES), end);
}

/** Whether the director knows connections of this protocol. */
function isConnected(protocol: number): boolean {
  return hasPorts(protocol) || isIpsec(protocol);
}

function hasPorts(protocol: number): boolean {
  return protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp || protocol === PROTOCOL.sctp;
}

/** Whether a quoted packet shows which connection it belongs to. */
function isReadable({ protocol, hasPorts, fragmentOffset }: IpPacket): boolean {
  return hasPorts || (isIpsec(protocol) && fragmentOffset === 0);
}

function isIcmp({ family, protocol }: IpPacket): boolean {
  return protocol === (family === 4 ? IP_PROTOCOL.icmp : IP_PROTOCOL.icmpv6);
}

/** The ICMP messages that IPVS looks at; echo and the like are the host's. */
function isError(packet: IpPacket): boolean {
  const { family, bytes, transport, end, fragmentOffset } = packet;
  if (!isIcmp(packet) || fragmentOffset !== 0 || transport + ICMP_BYTES > end) return false;
  const type = bytes[transport] ?? 0;
  if (family === 6) return isIcmpv6Error(type);
  return type === ICMP_TYPE.destinationUnreachable || type === ICMP_TYPE.sourceQuench ||
    type === ICMP_TYPE.timeExceeded;
}

function readSides(packet: IpPacket, source: Uint32Array, destination: Uint32Array): void {
  packet.readSource(source);
  packet.readDestination(destination);
}
