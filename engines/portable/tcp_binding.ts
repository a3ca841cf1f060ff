/**
 * A TCP virtual service in the portable engine: its listener and its connections.
 *
 * node:net and not `Deno.listen`, which cannot send a reset. `Flow.packets` is 0: a byte stream shows no packets.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import type { TrafficEntrance } from "../../director/verdict.ts";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Binding, BindingOptions, EndReason, EngineEvents, OpenBinding } from "../engine.ts";
import { Deadlines } from "./deadlines.ts";
import { TcpConnection, type TcpHost } from "./tcp_connection.ts";
import { TcpListener } from "./tcp_listener.ts";

/** What the bindings of an engine share. */
export interface TcpEngine {
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly readBuffer: Uint8Array;
  /** Connections of all bindings, by their entry in the director. */
  readonly entries: Map<number, TcpConnection>;
  isOwnListener(host: string, port: number): boolean;
}

/** A TCP service that is listening. */
export class TcpBinding implements OpenBinding, TcpHost {
  readonly binding: Binding;
  readonly bound: Endpoint;
  readonly service: number;
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly readBuffer: Uint8Array;
  readonly waits: Deadlines<TcpConnection>;
  readonly #engine: TcpEngine;
  readonly #listener: TcpListener;
  readonly #connections = new Set<TcpConnection>();
  readonly #ended = {
    service: 0,
    client: "",
    destination: "",
    reason: "done" as EndReason,
    durationMs: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  #options: BindingOptions;
  #idleWaiters: (() => void)[] = [];

  /**
   * Starts to listen.
   *
   * @throws {SystemError} `ADDRESS_IN_USE`, `ADDRESS_NOT_LOCAL`, `PERMISSION_DENIED`, ...
   */
  static async open(engine: TcpEngine, binding: Binding): Promise<TcpBinding> {
    let accept: (client: Socket) => void = (client) => client.destroy();
    const listener = await TcpListener.open(binding, binding.listen, (client) => accept(client));
    const opened = new TcpBinding(engine, binding, listener);
    accept = (client) => opened.#accept(client);
    return opened;
  }

  private constructor(engine: TcpEngine, binding: Binding, listener: TcpListener) {
    this.#engine = engine;
    this.#listener = listener;
    this.#options = binding.options;
    this.binding = binding;
    this.bound = listener.bound;
    this.service = binding.service;
    this.#ended.service = binding.service;
    this.traffic = engine.traffic;
    this.events = engine.events;
    this.clock = engine.clock;
    this.readBuffer = engine.readBuffer;
    this.waits = new Deadlines(engine.clock, (connection) => connection.deadlineMissed());
  }

  /** Live connections. */
  get liveConnections(): number {
    return this.#connections.size;
  }

  /** Holds for connections that are accepted from now on. */
  update(options: BindingOptions): void {
    this.#options = options;
  }

  /** Stops listening; connections go on. */
  close(): Promise<void> {
    this.#listener.close();
    return Promise.resolve();
  }

  isOwnListener(host: string, port: number): boolean {
    return this.#engine.isOwnListener(host, port);
  }

  entryMade(entry: number, connection: TcpConnection): void {
    this.#engine.entries.set(entry, connection);
  }

  shortage(code: string, message: string): void {
    this.events.trouble(this.service, `${code}: ${message}`);
  }

  #accept(client: Socket): void {
    const { remoteAddress, remotePort, localAddress, localPort } = client;
    const peer = remoteAddress === undefined ? undefined : IpAddress.tryParse(remoteAddress);
    const local = localAddress === undefined ? undefined : IpAddress.tryParse(localAddress);
    if (peer === undefined || local === undefined) {
      // Reset before it was accepted: the kernel no longer knows who it was.
      client.on("error", () => {});
      client.destroy();
      this.events.dropped(this.service, "client-reset");
      return;
    }
    const connection = new TcpConnection(
      this,
      this.#options,
      client,
      { address: peer, port: remotePort ?? 0 },
      { address: local, port: localPort ?? 0 },
    );
    this.#connections.add(connection);
    connection.start();
  }

  ended(connection: TcpConnection, reason: EndReason): void {
    this.#connections.delete(connection);
    const { entry } = connection.flow;
    if (this.#engine.entries.get(entry) === connection) this.#engine.entries.delete(entry);
    const ended = this.#ended;
    ended.client = connection.clientText;
    ended.destination = connection.destinationText;
    ended.reason = reason;
    ended.durationMs = this.clock.nowMs() - connection.startMs;
    ended.bytesIn = connection.bytesIn;
    ended.bytesOut = connection.bytesOut;
    this.events.ended(ended);
    if (this.#connections.size > 0) return;
    for (const done of this.#idleWaiters.splice(0)) done();
  }

  /** The destination left for good: its connections end, when they are to be cut. */
  destinationRemoved(destination: number, cut: boolean): void {
    if (!cut) return;
    for (const it of this.#connections) if (it.destination === destination) it.end("destination-removed");
  }

  /** Resets every live connection, evenly over `spreadMs`; resolves when all are gone. */
  async resetAll(spreadMs: number, reason: EndReason): Promise<void> {
    const doomed = [...this.#connections];
    const startMs = this.clock.nowMs();
    for (let i = 0; i < doomed.length; i++) {
      const waitMs = startMs + spreadMs * i / doomed.length - this.clock.nowMs();
      if (waitMs >= 1) await new Promise<void>((resolve) => this.clock.after(waitMs, resolve));
      doomed[i]?.end(reason);
    }
  }

  /** Resolves when no connection is live. */
  whenIdle(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Closes everything now. */
  async stop(): Promise<void> {
    await this.close();
    await this.resetAll(0, "drained");
    this.waits.clear();
  }
}
