/**
 * The engine that runs on any system that Deno runs on: no FFI, no root.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { TrafficEntrance } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Binding, EndReason, Engine, EngineEvents, OpenBinding } from "../engine.ts";
import { chooseTcpSockets } from "./choose_sockets.ts";
import { ConnectPace } from "./connect_pace.ts";
import { DescriptorWatch } from "./descriptor_watch.ts";
import { countDescriptors, type DescriptorCount, Descriptors } from "./descriptors.ts";
import { TcpBinding, type TcpEngine } from "./tcp_binding.ts";
import type { TcpConnection } from "./tcp_connection.ts";
import type { TcpSockets } from "./tcp_socket.ts";
import { UdpBinding } from "./udp_binding.ts";
import { UdpDescriptors } from "./udp_descriptors.ts";

/** What the portable engine is made of. */
export interface PortableEngineOptions {
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
  /** Whether traffic to this address would come back to this program. */
  isOwnListener(protocol: Binding["protocol"], target: Endpoint): boolean;
}

/** Sockets of the runtime itself: what is under node:net for TCP, `Deno.listenDatagram` for UDP. */
export class PortableEngine implements Engine {
  readonly name = "portable";
  readonly #options: PortableEngineOptions;
  readonly #tcp = new Set<TcpBinding>();
  readonly #udp = new Set<UdpBinding>();
  readonly #entries = new Map<number, TcpConnection>();
  readonly #shared: TcpEngine;
  readonly #udpDescriptors: UdpDescriptors;
  readonly #watch: DescriptorWatch;
  readonly #addresses = new Map<string, IpAddress>();

  /**
   * @param count what is known of the process's file descriptors
   * @param sockets where TCP sockets come from
   */
  constructor(
    options: PortableEngineOptions,
    count: DescriptorCount = countDescriptors(),
    sockets: TcpSockets = chooseTcpSockets(),
  ) {
    this.#options = options;
    this.#watch = new DescriptorWatch(options.clock, () => this.#outOfDescriptors());
    const descriptors = new Descriptors(count);
    this.#udpDescriptors = new UdpDescriptors(descriptors);
    this.#shared = {
      ...this.#hostFor("tcp"),
      entries: this.#entries,
      sockets,
      pace: new ConnectPace(options.clock),
      descriptors,
      outOfDescriptors: () => this.#outOfDescriptors(),
      lookForDescriptors: () => this.#watch.look(),
    };
  }

  /** What TCP sockets are made of. */
  get tcpSockets(): TcpSockets["name"] {
    return this.#shared.sockets.name;
  }

  #outOfDescriptors(): void {
    for (const it of this.#tcp) it.outOfDescriptors();
  }

  async open(binding: Binding): Promise<OpenBinding> {
    if (binding.protocol === "udp") {
      for (const it of this.#udp) if (it.isOver) this.#udp.delete(it);
      const host = { ...this.#hostFor("udp"), descriptors: this.#udpDescriptors };
      const opened = UdpBinding.open(host, binding);
      this.#udp.add(opened);
      return opened;
    }
    for (const it of this.#tcp) if (it.isOver) this.#tcp.delete(it);
    const opened = await TcpBinding.open(this.#shared, binding);
    this.#tcp.add(opened);
    this.#watch.start();
    return opened;
  }

  #hostFor(protocol: Binding["protocol"]) {
    const { traffic, events, clock } = this.#options;
    const isOwnListener = (host: string, port: number) => this.#isOwnListener(protocol, host, port);
    return { traffic, events, clock, isOwnListener };
  }

  /** Addresses of destinations are few and asked about for each connection: parsed once. */
  #isOwnListener(protocol: Binding["protocol"], host: string, port: number): boolean {
    let address = this.#addresses.get(host);
    if (address === undefined) {
      address = IpAddress.parse(host);
      if (this.#addresses.size >= LIMITS.destinations) this.#addresses.clear();
      this.#addresses.set(host, address);
    }
    return this.#options.isOwnListener(protocol, { address, port });
  }

  #bindings(service?: number): (TcpBinding | UdpBinding)[] {
    const all = [...this.#tcp, ...this.#udp];
    return service === undefined ? all : all.filter((it) => it.binding.service === service);
  }

  liveConnections(service?: number): number {
    return this.#bindings(service).reduce((sum, it) => sum + it.liveConnections, 0);
  }

  destinationRemoved(destination: number, cut: boolean): void {
    for (const it of this.#bindings()) it.destinationRemoved(destination, cut);
  }

  entryExpired(entry: number): void {
    this.#entries.get(entry)?.entryExpired();
    for (const it of this.#udp) it.entryExpired(entry);
  }

  async resetAll(spreadMs: number, reason: EndReason, service?: number): Promise<void> {
    await Promise.all(this.#bindings(service).map((it) => it.resetAll(spreadMs, reason)));
  }

  async whenIdle(): Promise<void> {
    // A connection may have been accepted by one binding while another one was waited for.
    while (this.liveConnections() > 0) await Promise.all(this.#bindings().map((it) => it.whenIdle()));
  }

  async stop(): Promise<void> {
    this.#watch.stop();
    await Promise.all(this.#bindings().map((it) => it.stop()));
    this.#tcp.clear();
    this.#udp.clear();
  }
}
