/**
 * What a host answers to packets that are for none of its services: echo, resets, port unreachable.
 *
 * The engine owns addresses that the real host does not have, so nobody else would answer.
 *
 * @module
 */
import { get16, get32, put16, put32 } from "../../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../../packet/checksum.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import {
  ICMP,
  ICMP_BYTES,
  ICMP_TYPE,
  ICMPV6_TYPE,
  IP_PROTOCOL,
  TCP,
  TCP_BYTES,
  UDP,
} from "../../packet/transport.ts";
import { TCP_FLAG } from "../../net/flow.ts";
import type { IcmpErrors } from "./icmp_errors.ts";
import { ownPassage } from "./own_packet.ts";
import type { Passage } from "./passage.ts";

const ECN_MASK = 0x03;

/** The real host behind the engine. */
export interface Host {
  /** Whether somebody on the host wants the packet; it is theirs then. */
  takes(packet: IpPacket, nowMs: number): boolean;
}

/** What answering needs. */
export interface HostParts {
  readonly errors: IcmpErrors;
  readonly nextId: () => number;
  readonly send: (answer: Passage, nowMs: number) => void;
  readonly host: Host | undefined;
}

/** Answers for addresses behind which nobody else is. */
export class HostStack {
  readonly #parts: HostParts;
  readonly #source = new Uint32Array(4);
  readonly #destination = new Uint32Array(4);

  constructor(parts: HostParts) {
    this.#parts = parts;
  }

  /** A whole packet for the host itself. */
  deliver(passage: Passage, nowMs: number): void {
    const { packet } = passage;
    if (this.#parts.host?.takes(packet, nowMs) === true) return;
    switch (packet.protocol) {
      case IP_PROTOCOL.tcp:
        if (packet.hasTransport && isIntact(passage)) this.reset(passage, nowMs);
        return;
      case IP_PROTOCOL.udp:
        if (packet.hasTransport && isIntact(passage)) {
          this.#parts.errors.report(passage, "portUnreachable", nowMs);
        }
        return;
      case IP_PROTOCOL.icmp:
        if (packet.family === 4) this.#echo(passage, ICMP_TYPE.echoRequest, ICMP_TYPE.echoReply, nowMs);
        return;
      case IP_PROTOCOL.icmpv6:
        if (packet.family === 6) this.#echo(passage, ICMPV6_TYPE.echoRequest, ICMPV6_TYPE.echoReply, nowMs);
        return;
      default:
        if (packet.family === 4) this.#parts.errors.report(passage, "protocolUnreachable", nowMs);
    }
  }

  /** Resets the sender of a TCP segment, unless it is a reset itself (RFC 9293 section 3.10.7.1). */
  reset(passage: Passage, nowMs: number): void {
    const { packet } = passage;
    if (!packet.hasTransport || (packet.tcpFlags & TCP_FLAG.rst) !== 0 || passage.isGroup) return;
    const { bytes, transport, end, tcpFlags } = packet;
    const segment = new Uint8Array(TCP_BYTES);
    put16(segment, TCP.sourcePort, packet.destinationPort);
    put16(segment, TCP.destinationPort, packet.sourcePort);
    segment[TCP.dataOffset] = (TCP_BYTES / 4) << 4;
    if ((tcpFlags & TCP_FLAG.ack) !== 0) {
      segment[TCP.flags] = TCP_FLAG.rst;
      put32(segment, TCP.sequence, get32(bytes, transport + TCP.acknowledgement));
    } else {
      const header = ((bytes[transport + TCP.dataOffset] ?? 0) >>> 4) * 4;
      const length = Math.max(0, end - transport - header) + (tcpFlags & TCP_FLAG.fin) +
        ((tcpFlags & TCP_FLAG.syn) >>> 1);
      segment[TCP.flags] = TCP_FLAG.rst | TCP_FLAG.ack;
      put32(segment, TCP.acknowledgement, (get32(bytes, transport + TCP.sequence) + length) >>> 0);
    }
    const tos = packet.family === 4 ? packet.tos : packet.tos & ~ECN_MASK;
    this.#answer(packet, segment, IP_PROTOCOL.tcp, TCP.checksum, tos, nowMs);
  }

  #echo(passage: Passage, request: number, reply: number, nowMs: number): void {
    const { packet } = passage;
    const { bytes, transport, end, protocol } = packet;
    if (end - transport < ICMP_BYTES || bytes[transport] !== request || passage.isGroup) return;
    if (!isIntact(passage)) return;
    const message = bytes.slice(transport, end);
    message[ICMP.type] = reply;
    this.#answer(packet, message, protocol, ICMP.checksum, packet.tos, nowMs);
  }

  /** Sends a message back to where a packet came from. A reset must not be fragmented, and has no identification. */
  #answer(
    packet: IpPacket,
    message: Uint8Array,
    protocol: number,
    checksumAt: number,
    tos: number,
    nowMs: number,
  ): void {
    packet.readSource(this.#destination);
    packet.readDestination(this.#source);
    const answer = ownPassage({
      family: packet.family,
      source: this.#source,
      destination: this.#destination,
      protocol,
      tos,
      id: protocol === IP_PROTOCOL.tcp ? undefined : this.#parts.nextId(),
      message,
      checksumAt,
    });
    this.#parts.send(answer, nowMs);
  }
}

/** Whether the checksum of the upper layer is right, or none was asked for. */
function isIntact({ packet, isPartial }: Passage): boolean {
  const { bytes, transport, end, protocol } = packet;
  if (isPartial) return true;
  if (protocol === IP_PROTOCOL.udp && get16(bytes, transport + UDP.checksum) === 0) {
    return packet.family === 4;
  }
  const pseudo = protocol === IP_PROTOCOL.icmp
    ? 0
    : pseudoHeaderSum(bytes, packet.addressesAt, packet.addressBytes, protocol, end - transport);
  return checksumOf(bytes, transport, end, pseudo) === 0;
}
