/**
 * How a request leaves for its real server: the rules that all forwarding methods share, in the kernel's order, and what each
 * method does to the packet.
 *
 * @module
 */
import type { Director } from "../../director/director.ts";
import { type HookVerdict, VERDICT } from "../../hooks/hook.ts";
import { finishChecksum, translateQuotedRequest, translateRequest } from "../../modes/nat_packet.ts";
import { FORWARDING, type Translation } from "../../modes/translation.ts";
import { encapsulate, tunnelOverhead } from "../../modes/tun_packet.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import { decrementTtl } from "../../packet/ipv4.ts";
import { IPV6, IPV6_MIN_MTU } from "../../packet/ipv6.ts";
import type { DropCounts } from "./drops.ts";
import type { IcmpErrors } from "./icmp_errors.ts";
import type { Route, Routes } from "./links.ts";
import { giveHeadroom } from "./outlet.ts";
import { NO_INTERFACE, type Passage } from "./passage.ts";
import type { PathMtus } from "./path_mtus.ts";

/** Room for outer headers and Ethernet in front of them. */
const TUNNEL_ROOM = 18;
const IPV4_LEAST_MTU = 68;

/** What sending to a real server needs. */
export interface TransmitParts {
  readonly director: Director;
  readonly routes: Routes;
  readonly errors: IcmpErrors;
  readonly mtus: PathMtus;
  readonly drops: DropCounts;
  readonly nextId: () => number;
  /** A request's way is known: its translation, its route, and the most bytes that it may have there. */
  readonly onRoute?: ((translation: Translation, route: Route, mtu: number) => void) | undefined;
  /** Takes a finished packet through OUTPUT and POSTROUTING to a neighbour. */
  readonly dispatch: (passage: Passage, route: Route, nextHop: Uint32Array, nowMs: number) => void;
}

/** Sends requests to real servers. */
export class Transmit {
  readonly #parts: TransmitParts;

  constructor(parts: TransmitParts) {
    this.#parts = parts;
  }

  /**
   * Sends a packet as its connection's method says. ACCEPT: the real server is this host.
   *
   * @param flowHash any number that stays the same for a connection
   * @param isError the packet is an ICMP error: nobody is told when it is too big
   */
  send(
    passage: Passage,
    translation: Translation,
    flowHash: number,
    nowMs: number,
    isError: boolean,
  ): HookVerdict {
    const { packet } = passage;
    const route = this.#route(passage, translation, nowMs);
    if (route === undefined) return VERDICT.stolen;
    const isNat = translation.method === FORWARDING.nat;
    if (route.isLocal) {
      if (isNat && this.#isMartian(passage, translation)) return VERDICT.drop;
      if (isNat) translateRequest(packet, translation, passage.isPartial);
      passage.isHandled = true;
      return VERDICT.accept;
    }
    const isTunnel = translation.method === FORWARDING.tun;
    if (!this.#spendHop(passage, nowMs)) return VERDICT.stolen;
    if (!this.#fits(passage, translation, route, isTunnel, isError, nowMs)) return VERDICT.stolen;
    if (isNat) translateRequest(packet, translation, passage.isPartial);
    else if (isTunnel) this.#encapsulate(passage, translation, route, flowHash);
    return this.#dispatch(passage, translation, route, nowMs);
  }

  /** The same for a client's ICMP error about a NAT connection; `quoted` is what it quotes. */
  sendRelated(
    passage: Passage,
    quoted: IpPacket,
    translation: Translation,
    nowMs: number,
  ): HookVerdict {
    const { packet } = passage;
    const route = this.#route(passage, translation, nowMs);
    if (route === undefined) return VERDICT.stolen;
    if (route.isLocal && this.#isMartian(passage, translation)) return VERDICT.drop;
    if (!route.isLocal && !this.#spendHop(passage, nowMs)) return VERDICT.stolen;
    translateQuotedRequest(packet, quoted, translation);
    passage.isHandled = true;
    return route.isLocal ? VERDICT.accept : this.#dispatch(passage, translation, route, nowMs);
  }

  #dispatch(passage: Passage, translation: Translation, route: Route, nowMs: number): HookVerdict {
    passage.isHandled = true;
    passage.mayFragment = true;
    passage.isLocal = false;
    this.#parts.dispatch(passage, route, route.gateway?.words ?? translation.destination, nowMs);
    return VERDICT.stolen;
  }

  #route(passage: Passage, translation: Translation, nowMs: number): Route | undefined {
    const route = this.#parts.routes.find(translation.destinationFamily, translation.destination);
    if (route !== undefined) return route;
    this.#parts.drops.count("no-route");
    this.#parts.errors.report(passage, "hostUnreachable", nowMs);
    return undefined;
  }

  /** Nobody from outside gets to a loopback address (`ip_vs_nat_xmit`, `ip_vs_icmp_xmit`). */
  #isMartian(passage: Passage, translation: Translation): boolean {
    if (passage.interfaceIndex === NO_INTERFACE || !isLoopback(translation)) return false;
    this.#parts.drops.count("martian");
    return true;
  }

  #spendHop(passage: Passage, nowMs: number): boolean {
    if (spendHop(passage.packet)) return true;
    this.#parts.drops.count("time-exceeded");
    this.#parts.errors.report(passage, "timeExceeded", nowMs);
    return false;
  }

  /** Whether the packet may be this large; its sender is told when not. */
  #fits(
    passage: Passage,
    translation: Translation,
    route: Route,
    isTunnel: boolean,
    isError: boolean,
    nowMs: number,
  ): boolean {
    const { packet } = passage;
    const { director, errors, drops, mtus } = this.#parts;
    // Only IPv4 learns: the kernel hears of no error about an IPv6 tunnel.
    let mtu = route.link.mtu;
    if (translation.destinationFamily === 4) mtu = mtus.of(translation.destination, mtu, nowMs);
    if (isTunnel) {
      mtu -= tunnelOverhead(translation);
      const least = translation.destinationFamily === 4 ? IPV4_LEAST_MTU : IPV6_MIN_MTU;
      if (mtu < least) {
        drops.count("too-big");
        return false;
      }
    }
    this.#parts.onRoute?.(translation, route, mtu);
    if (isError) return true;
    const isPieced = packet.family === 6 && passage.fragmentLimit > 0;
    const size = isPieced ? passage.fragmentLimit : passage.wireBytes;
    if (size <= mtu) return true;
    const isAsked = !isTunnel || packet.family === 6 || director.sysctl.pmtu_disc !== 0;
    if (!packet.dontFragment || !isAsked) return true;
    drops.count("too-big");
    errors.report(passage, "tooBig", nowMs, mtu);
    return false;
  }

  #encapsulate(passage: Passage, translation: Translation, route: Route, flowHash: number): void {
    const { packet } = passage;
    const isTrain = passage.segmentBytes !== 0;
    if (isTrain) passage.enterTunnel(translation.tunnel, tunnelOverhead(translation));
    // The network card would look for the checksum behind the outer header.
    else if (passage.isPartial) finishChecksum(packet);
    passage.isPartial = isTrain;
    giveHeadroom(passage, tunnelOverhead(translation) + TUNNEL_ROOM);
    encapsulate(packet, translation, {
      source: route.source.words,
      id: this.#parts.nextId(),
      copyDontFragment: this.#parts.director.sysctl.pmtu_disc !== 0,
      flowHash,
      isTrain,
    });
  }
}

/** One hop less; false when there is none left. */
export function spendHop(packet: IpPacket): boolean {
  if (packet.ttl <= 1) return false;
  packet.ttl--;
  if (packet.family === 4) decrementTtl(packet.bytes, packet.at);
  else packet.bytes[packet.at + IPV6.hopLimit] = packet.ttl;
  return true;
}

function isLoopback({ destination, destinationFamily }: Translation): boolean {
  const [first = 0, second = 0, third = 0, fourth = 0] = destination;
  return destinationFamily === 4 ? first >>> 24 === 127 : (first | second | third) === 0 && fourth === 1;
}
