/**
 * A director on a wire: frames in, frames out, and nothing that knows where they come from.
 *
 * @module
 */
import type { Director } from "../../director/director.ts";
import { DIRECTOR_PRIORITY, HOOK, type Hook, type HookVerdict } from "../../hooks/hook.ts";
import type { Hooks } from "../../hooks/hooks.ts";
import type { IpAddress } from "../../net/address.ts";
import type { Flow } from "../../net/flow.ts";
import type { Random } from "../../net/random.ts";
import { EthernetHeader, ETHERTYPE, isGroupMac, isMac } from "../../packet/ethernet.ts";
import { IpPacket } from "../../packet/ip_packet.ts";
import { IP_PROTOCOL } from "../../packet/transport.ts";
import { DirectorPath } from "./director_path.ts";
import { DropCounts } from "./drops.ts";
import { type Host, HostStack } from "./host_stack.ts";
import { IcmpErrors } from "./icmp_errors.ts";
import { type GatewayRoute, isUnicast, type Link, type LinkAddress, type Route, Routes } from "./links.ts";
import { Neighbours } from "./neighbours.ts";
import { NeighbourSpeech } from "./neighbour_speech.ts";
import { type Emit, Outlet } from "./outlet.ts";
import { HEADROOM_BYTES, Passage } from "./passage.ts";
import { PathMtus } from "./path_mtus.ts";
import { Reassembly } from "./reassembly.ts";
import { type Probe, ServerProbes } from "./probes.ts";
import { RuleWalk } from "./rule_walk.ts";
import { spendHop, Transmit, type TransmitParts } from "./transmit.ts";
import { TunnelErrors } from "./tunnel_errors.ts";

export interface PacketDirectorOptions {
  readonly director: Director;
  readonly hooks: Hooks;
  readonly random: Random;
  /** Puts a frame on a wire. */
  readonly emit: Emit;
  /** Who gets packets for the host itself before they are refused. */
  readonly host?: Host;
  /** Whether packets that are for nobody here go on (`ip_forward`); replies of NAT do. Default true. */
  readonly forwards?: boolean;
  /** See {@linkcode WalkParts}. */
  readonly serviceOf?: (passage: Passage) => number;
  readonly isKnown?: (passage: Passage) => boolean;
  /** Something came back to a check's port; see {@linkcode ServerProbes}. */
  readonly onProbed?: (port: number, segment: Uint8Array) => void;
  /** A connection began; the flow is used again. */
  readonly onNew?: (entry: number, flow: Flow) => void;
  /** See {@linkcode TransmitParts}. */
  readonly onRoute?: TransmitParts["onRoute"];
}

/** Takes frames through the hooks in netfilter's order, with the director's functions on them. */
export class PacketDirector {
  readonly drops: DropCounts = new DropCounts();
  readonly neighbours: Neighbours;
  readonly #options: PacketDirectorOptions;
  readonly #routes = new Routes();
  #links: readonly Link[] = [];
  readonly #header = new EthernetHeader();
  readonly #passage = new Passage();
  readonly #address = new Uint32Array(4);
  /** Next hop of the packet that is being forwarded; only what ends its way may send another one meanwhile. */
  readonly #hop = new Uint32Array(4);
  readonly #reassembly: Reassembly;
  readonly #errors: IcmpErrors;
  readonly #speech: NeighbourSpeech;
  readonly #outlet: Outlet;
  readonly #host: HostStack;
  readonly #walk: RuleWalk;
  readonly #probes: ServerProbes;
  #id: number;

  constructor(options: PacketDirectorOptions) {
    const { director, hooks, emit } = options;
    this.#options = options;
    this.#id = options.random.below(0x1_0000);
    const routes = this.#routes;
    const { drops } = this;
    const nextId = () => this.#id = (this.#id + 1) & 0xffff;
    const send = (passage: Passage, nowMs: number) => this.#sendOwn(passage, nowMs);
    const mtus = new PathMtus();
    this.neighbours = new Neighbours({
      ask: (...question) => this.#speech.ask(...question),
      send: (link, mac, { bytes, at, end }) => this.#outlet.sendWaiting(link, mac, bytes, at, end),
      fail: ({ bytes, at, end }, nowMs) => this.#unresolved(bytes, at, end, nowMs),
    });
    this.#errors = new IcmpErrors({ routes, nextId, send });
    this.#reassembly = new Reassembly((first, _, nowMs) => this.#incomplete(first, nowMs));
    this.#speech = new NeighbourSpeech({ routes, neighbours: this.neighbours, emit });
    this.#outlet = new Outlet({ neighbours: this.neighbours, errors: this.#errors, emit, nextId, drops });
    this.#host = new HostStack({ errors: this.#errors, nextId, send, host: options.host });
    this.#walk = new RuleWalk({
      hooks,
      errors: this.#errors,
      host: this.#host,
      drops,
      serviceOf: options.serviceOf,
      isKnown: options.isKnown,
    });
    const transmit = new Transmit({
      director,
      routes,
      errors: this.#errors,
      mtus,
      drops,
      nextId,
      onRoute: options.onRoute,
      dispatch: (passage, route, nextHop, nowMs) => this.#dispatch(passage, route, nextHop, nowMs),
    });
    this.#probes = new ServerProbes({
      routes,
      transmit,
      heard: (port, segment) => this.#options.onProbed?.(port, segment),
    });
    const path = new DirectorPath({
      director,
      transmit,
      errors: this.#errors,
      tunnelErrors: new TunnelErrors({ director, errors: this.#errors, mtus }),
      reassembly: this.#reassembly,
      drops,
      quoted: new IpPacket(),
      onNew: options.onNew,
    });
    this.#register(hooks, path);
  }

  /** Memory that cut frames are emitted from, so that whoever sends them can do it from there. */
  get cutFrames(): Uint8Array<ArrayBuffer> {
    return this.#outlet.cutFrames;
  }

  /** Which links there are, which addresses are the director's, and which ways lead elsewhere. */
  configure(
    links: readonly Link[],
    addresses: readonly LinkAddress[],
    routes: readonly GatewayRoute[] = [],
  ): void {
    this.#links = links;
    this.#routes.set(addresses, routes);
  }

  /** Tells everybody on its link that an address is here (gratuitous ARP, unsolicited advertisement). */
  announce(link: Link, address: IpAddress): void {
    this.#speech.announce(link, address);
  }

  /**
   * A frame came in. It may be changed, and is not needed after the call returns.
   *
   * @param isPartial its checksum is left to whoever sends or reads it
   * @param segmentBytes payload of each segment when it stands for several, else 0
   */
  receive(
    interfaceIndex: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    nowMs: number,
    isPartial = false,
    segmentBytes = 0,
  ): void {
    const header = this.#header;
    if (!header.read(bytes, from, to)) return this.drops.count("malformed");
    const link = this.#link(interfaceIndex, header.vlan);
    if (link === undefined) return this.drops.count("foreign");
    const isGroup = isGroupMac(bytes, from);
    if (!isGroup && !isMac(bytes, from, link.mac)) return this.drops.count("foreign");
    if (header.ethertype === ETHERTYPE.arp) {
      return this.#speech.hearArp(link, bytes, header.payload, to, nowMs);
    }
    const isIp = header.ethertype === ETHERTYPE.ipv4 || header.ethertype === ETHERTYPE.ipv6;
    if (!isIp) return this.drops.count("foreign");
    const passage = this.#passage;
    if (!passage.begin(bytes, header.payload, to, interfaceIndex, isGroup)) {
      return this.drops.count("malformed");
    }
    passage.isPartial = isPartial;
    passage.segmentBytes = segmentBytes;
    this.#arrive(passage, link, nowMs);
  }

  /** The host behind the engine sends a packet (with {@linkcode HEADROOM_BYTES} in front of it, better than none). */
  sendFromHost(bytes: Uint8Array, at: number, end: number, nowMs: number): void {
    this.#sendOwn(Passage.own(bytes, at, end), nowMs);
  }

  /** Sends a packet of a check to a real server, the way of clients' packets. */
  probe(probe: Probe, nowMs: number): void {
    this.#probes.send(probe, nowMs);
  }

  /** A check has ended. */
  forgetProbe(port: number): void {
    this.#probes.forget(port);
  }

  /** Lets time pass: neighbours that did not answer, datagrams that did not become whole. */
  advance(nowMs: number): void {
    this.neighbours.advance(nowMs);
    this.#reassembly.advance(nowMs);
  }

  #register(hooks: Hooks, path: DirectorPath): void {
    const walk = this.#walk;
    type Run = (passage: Passage, nowMs: number) => HookVerdict;
    const hang = (hook: Hook, priority: number, name: string, run: Run) =>
      hooks.register(hook, priority, (_, nowMs) => run(walk.passage, nowMs), `director: ${name}`);
    const request: Run = (passage, nowMs) => path.request(passage, nowMs);
    const reply: Run = (passage, nowMs) => path.reply(passage, nowMs);
    const hostReply: Run = (passage, nowMs) => path.hostReply(passage, nowMs);
    const icmp: Run = (passage, nowMs) => path.relatedRequest(passage, nowMs);
    hang(HOOK.input, DIRECTOR_PRIORITY.inputReply, "replies to this host", hostReply);
    hang(HOOK.input, DIRECTOR_PRIORITY.inputRequest, "requests", request);
    hang(HOOK.output, DIRECTOR_PRIORITY.outputReply, "replies of this host", reply);
    hang(HOOK.output, DIRECTOR_PRIORITY.outputRequest, "requests of this host", request);
    hang(HOOK.forward, DIRECTOR_PRIORITY.forwardIcmp, "ICMP errors", icmp);
    hang(HOOK.forward, DIRECTOR_PRIORITY.forwardReply, "replies", reply);
  }

  /** Whether a flow's virtual address is a unicast one of another host: `cache_bypass` lets the packet go on to it. */
  isElsewhere({ family, virtual }: Flow): boolean {
    return isUnicast(family, virtual) && this.#routes.findLocal(family, virtual) === undefined;
  }

  #link(index: number, vlan: number): Link | undefined {
    for (let i = 0; i < this.#links.length; i++) {
      const link = this.#links[i];
      if (link !== undefined && link.index === index && link.vlan === vlan) return link;
    }
    return undefined;
  }

  #arrive(passage: Passage, link: Link, nowMs: number): void {
    const { packet } = passage;
    if (packet.protocol === IP_PROTOCOL.icmpv6 && packet.family === 6) {
      if (this.#speech.hearIcmpv6(link, passage, nowMs)) return;
    }
    packet.readSource(this.#address);
    if (this.#routes.findLocal(packet.family, this.#address) !== undefined) {
      // Answers to checks come from a virtual address; nothing else may (`fib_validate_source`, which IPv6 has not).
      if (this.#probes.takes(packet)) return;
      if (packet.family === 4) return this.drops.count("martian");
    }
    if (packet.family === 6 && packet.fragmentAt !== 0 && !this.#reassembly.add(passage, nowMs)) return;
    if (packet.family === 6 && passage.fragmentLimit > 0) passage.mayFragment = true;
    if (!this.#walk.run(HOOK.prerouting, passage, nowMs)) return;
    this.#route(passage, nowMs);
  }

  #route(passage: Passage, nowMs: number): void {
    const { packet } = passage;
    packet.readDestination(this.#address);
    if (this.#routes.findLocal(packet.family, this.#address) !== undefined || this.#isMarked(passage)) {
      this.#input(passage, nowMs);
    } else if (passage.isGroup) {
      this.drops.count("foreign");
    } else {
      this.#forward(passage, nowMs);
    }
  }

  /** Packets of a mark that has a service are for this host whatever their address: nobody has to route them here. */
  #isMarked({ mark, packet }: Passage): boolean {
    if (mark === 0) return false;
    return this.#options.director.findService({ mark, family: packet.family }) !== undefined;
  }

  #input(passage: Passage, nowMs: number): void {
    const { packet } = passage;
    passage.isLocal = true;
    if (packet.family === 4 && packet.isFragment && !this.#reassembly.add(passage, nowMs)) return;
    if (this.#walk.run(HOOK.input, passage, nowMs)) this.#host.deliver(passage, nowMs);
  }

  #forward(passage: Passage, nowMs: number): void {
    const { packet } = passage;
    const route = this.#routes.findRemote(packet.family, this.#address);
    if (this.#options.forwards === false) return this.drops.count("foreign");
    if (route === undefined) {
      this.drops.count("no-route");
      return this.#errors.report(passage, "noRoute", nowMs);
    }
    this.#hop.set(route.gateway?.words ?? this.#address);
    if (packet.ttl <= 1) {
      this.drops.count("time-exceeded");
      return this.#errors.report(passage, "timeExceeded", nowMs);
    }
    if (this.#isTooBig(passage, route.link)) {
      this.drops.count("too-big");
      return this.#errors.report(passage, "tooBig", nowMs, route.link.mtu);
    }
    spendHop(packet);
    if (!this.#walk.run(HOOK.forward, passage, nowMs, route.link.index)) return;
    this.#post(passage, route.link, this.#hop, nowMs);
  }

  #isTooBig({ packet, wireBytes, fragmentLimit }: Passage, link: Link): boolean {
    const size = fragmentLimit > 0 ? fragmentLimit : wireBytes;
    return size > link.mtu && packet.dontFragment;
  }

  /** What a forwarding method sends: it is the director's own packet from here on. */
  #dispatch(passage: Passage, route: Route, nextHop: Uint32Array, nowMs: number): void {
    if (this.#walk.run(HOOK.output, passage, nowMs, route.link.index)) {
      this.#post(passage, route.link, nextHop, nowMs);
    }
  }

  /** A packet of the host or of the director itself. */
  #sendOwn(passage: Passage, nowMs: number): void {
    const { packet } = passage;
    packet.readDestination(this.#address);
    const route = this.#routes.find(packet.family, this.#address);
    if (route === undefined) return this.drops.count("no-route");
    const nextHop = route.gateway?.words ?? this.#address.slice();
    if (!this.#walk.run(HOOK.output, passage, nowMs, route.link.index)) return;
    if (!route.isLocal) return this.#post(passage, route.link, nextHop, nowMs);
    // Over the loopback interface, and in again.
    if (this.#walk.run(HOOK.postrouting, passage, nowMs, route.link.index)) this.#input(passage, nowMs);
  }

  #post(passage: Passage, link: Link, nextHop: Uint32Array, nowMs: number): void {
    if (!this.#walk.run(HOOK.postrouting, passage, nowMs, link.index)) return;
    this.#outlet.send(passage, link, nextHop, nowMs);
  }

  #unresolved(bytes: Uint8Array, at: number, end: number, nowMs: number): void {
    this.drops.count("unresolved");
    this.#errors.report(Passage.own(bytes, at, end), "hostUnreachable", nowMs);
  }

  #incomplete(first: Uint8Array, nowMs: number): void {
    const bytes = new Uint8Array(HEADROOM_BYTES + first.length);
    bytes.set(first, HEADROOM_BYTES);
    const passage = Passage.own(bytes, HEADROOM_BYTES, bytes.length);
    passage.packet.readDestination(this.#address);
    // Only whoever would have got the datagram says so.
    passage.isLocal = this.#routes.findLocal(passage.packet.family, this.#address) !== undefined;
    if (passage.isLocal) this.#errors.report(passage, "reassemblyTime", nowMs);
  }
}
