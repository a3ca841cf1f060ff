/**
 * ICMP errors about the director's own tunnel packets: the client behind them is told instead of the director.
 *
 * @module
 */
import type { Director } from "../../director/director.ts";
import { ACTION } from "../../director/verdict.ts";
import { type HookVerdict, VERDICT } from "../../hooks/hook.ts";
import { isErrorIntact } from "../../modes/nat_packet.ts";
import { TUNNEL_TYPES } from "../../modes/tunnel.ts";
import { DIRECTION, Flow, NO_ENTRY } from "../../net/flow.ts";
import { get16, get32 } from "../../packet/bytes.ts";
import { ETHERTYPE } from "../../packet/ethernet.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import { ICMP, ICMP_TYPE, ICMP_UNREACHABLE, IP_PROTOCOL, UDP_BYTES } from "../../packet/transport.ts";
import { greBytes, greEthertype, gueBytes, gueProtocol } from "../../packet/tunnel.ts";
import type { IcmpErrors } from "./icmp_errors.ts";
import { Passage } from "./passage.ts";
import type { PathMtus } from "./path_mtus.ts";

/** The smallest MTU of IPv4, below which no client is told to go. */
const IPV4_LEAST_MTU = 68;

/** What it works with. */
export interface TunnelErrorParts {
  readonly director: Director;
  readonly errors: IcmpErrors;
  readonly mtus: PathMtus;
}

/** Hears errors about tunnels; IPv4 in IPv4 only, as the kernel. */
export class TunnelErrors {
  readonly #parts: TunnelErrorParts;
  readonly #flow = new Flow();
  readonly #address = new Uint32Array(4);

  constructor(parts: TunnelErrorParts) {
    this.#parts = parts;
  }

  /** A verdict when the error is about a tunnel, else undefined. */
  hear(passage: Passage, quoted: IpPacket, nowMs: number): HookVerdict | undefined {
    if (!passage.isLocal || quoted.family !== 4 || quoted.fragmentOffset !== 0) return undefined;
    const innerAt = this.#innerAt(quoted);
    if (innerAt < 0) return undefined;
    const client = new Passage();
    client.isLocal = true;
    const inner = client.packet;
    if (!inner.readQuoted(quoted.bytes, innerAt, quoted.end) || inner.family !== 4 || !inner.hasPorts) {
      return VERDICT.accept;
    }
    if (!this.#isConnection(inner, nowMs)) return VERDICT.accept;
    if (!isErrorIntact(passage.packet)) return VERDICT.drop;
    if (this.#tell(passage.packet, client, quoted, innerAt - quoted.at, nowMs)) {
      this.#flow.packets = 1;
      this.#parts.director.related(this.#flow, DIRECTION.output, passage.packet.end - innerAt, nowMs);
    }
    return VERDICT.stolen;
  }

  /** False when the client has nothing to hear of it. */
  #tell(error: IpPacket, client: Passage, quoted: IpPacket, overhead: number, nowMs: number): boolean {
    const { bytes, transport } = error;
    const type = bytes[transport] ?? 0;
    const code = bytes[transport + ICMP.code] ?? 0;
    const { errors, mtus } = this.#parts;
    if (type !== ICMP_TYPE.destinationUnreachable || code !== ICMP_UNREACHABLE.fragmentationNeeded) {
      errors.reportRaw(client, type, code, get32(bytes, transport + ICMP.rest), nowMs);
      return true;
    }
    quoted.readDestination(this.#address);
    const mtu = mtus.learn(this.#address, get16(bytes, transport + ICMP.nextHopMtu), nowMs);
    const isTold = client.packet.dontFragment && mtu > IPV4_LEAST_MTU + overhead;
    if (isTold) errors.report(client, "tooBig", nowMs, mtu - overhead);
    return isTold;
  }

  /** Where the inner header begins in a packet that went to a known tunnel, -1 when it did not. */
  #innerAt(quoted: IpPacket): number {
    const { bytes, transport, end, protocol } = quoted;
    quoted.readDestination(this.#address);
    const isKnown = (type: (typeof TUNNEL_TYPES)[number], port: number) =>
      this.#parts.director.findTunnel(4, this.#address, TUNNEL_TYPES.indexOf(type), port) >= 0;
    if (protocol === IP_PROTOCOL.ipip) return isKnown("ipip", 0) ? transport : -1;
    if (protocol === IP_PROTOCOL.gre) {
      const size = greBytes(bytes, transport, end);
      const isIpv4 = size >= 0 && greEthertype(bytes, transport) === ETHERTYPE.ipv4;
      return isIpv4 && isKnown("gre", 0) ? transport + size : -1;
    }
    if (protocol !== IP_PROTOCOL.udp || !quoted.hasTransport) return -1;
    const gue = transport + UDP_BYTES;
    const size = gueBytes(bytes, gue, end);
    const isIpv4 = size >= 0 && gueProtocol(bytes, gue) === IP_PROTOCOL.ipip;
    return isIpv4 && isKnown("gue", quoted.destinationPort) ? gue + size : -1;
  }

  /** Whether the inner packet is a client's request of a known connection; it opens none. What a client is told is output. */
  #isConnection(inner: IpPacket, nowMs: number): boolean {
    const flow = this.#flow;
    inner.readSource(flow.client);
    inner.readDestination(flow.virtual);
    flow.clientPort = inner.sourcePort;
    flow.virtualPort = inner.destinationPort;
    flow.protocol = inner.protocol;
    flow.family = inner.family;
    flow.entry = NO_ENTRY;
    flow.packets = 0;
    return this.#parts.director.related(flow, DIRECTION.output, 0, nowMs).action === ACTION.forward;
  }
}
