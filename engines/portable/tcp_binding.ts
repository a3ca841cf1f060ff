/**
 * A TCP virtual service in the portable engine.
 *
 * `Flow.packets` is 0: a byte stream shows no packets.
 * What the kernel does and this cannot, or does otherwise:
 *
 * - Accept cannot be paused. Beyond `maxConnections` clients are accepted and held, neither read nor scheduled, unless they
 *   are to be refused; beyond `LIMITS.heldConnections`, or with no descriptor to spare, they are reset (`no-room`).
 * - A client that went away behind more than `LIMITS.relayBufferBytes` of unread data, or after it had ended its own
 *   stream, is noticed by the next write to it, or by a time-out.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { TrafficEntrance } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Binding, BindingOptions, EndReason, EngineEvents, OpenBinding } from "../engine.ts";
import { assertListenAllowed } from "./bind_error.ts";
import { AcceptRecovery } from "./accept_recovery.ts";
import type { ConnectPace } from "./connect_pace.ts";
import { Deadlines } from "./deadlines.ts";
import type { Descriptors } from "./descriptors.ts";
import { EndReport } from "./end_report.ts";
import { TcpConnection, type TcpKeeper } from "./tcp_connection.ts";
import { TcpConnections } from "./tcp_connections.ts";
import type { Wait } from "./tcp_host.ts";
import { TcpListener } from "./tcp_listener.ts";
import { type SocketOwner, type TcpSocket, type TcpSockets, UNOWNED } from "./tcp_socket.ts";

/** What the bindings of an engine share. */
export interface TcpEngine {
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly sockets: TcpSockets;
  readonly pace: ConnectPace;
  readonly descriptors: Descriptors;
  /** Connections of all bindings, by their entry in the director. */
  readonly entries: Map<number, TcpConnection>;
  isOwnListener(host: string, port: number): boolean;
  /** No descriptor is left: every listener may have stopped accepting. */
  outOfDescriptors(): void;
  /** Finds out whether that is so. */
  lookForDescriptors(): void;
}

/** A client and a server socket. */
const SOCKETS_PER_CONNECTION = 2;

/** A TCP service that is listening. */
export class TcpBinding implements OpenBinding, TcpKeeper {
  readonly binding: Binding;
  readonly bound: Endpoint;
  readonly service: number;
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly sockets: TcpSockets;
  readonly waits: Deadlines<Wait>;
  readonly #engine: TcpEngine;
  readonly #listener: TcpListener;
  readonly #connections: TcpConnections;
  readonly #report: EndReport;
  readonly #refused: SocketOwner = { ...UNOWNED, closed: () => this.socketClosed() };
  readonly #isWildcard: boolean;
  #options: BindingOptions;
  #isClosed = false;
  #openSockets = 0;
  #allClosed: (() => void) | undefined;
  #troubleAtMs = -Infinity;
  readonly #recovery: AcceptRecovery;

  /**
   * Starts to listen.
   *
   * @throws {SystemError} `ADDRESS_IN_USE`, `ADDRESS_NOT_LOCAL`, `PERMISSION_DENIED`, ...
   */
  static async open(engine: TcpEngine, binding: Binding): Promise<TcpBinding> {
    assertListenAllowed(binding);
    let accept: (client: TcpSocket) => void = (client) => client.close();
    const listener = await TcpListener.open(binding, {
      backlog: engine.descriptors.backlog,
      sockets: engine.sockets,
      accept: (client) => accept(client),
    });
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
    this.#isWildcard = listener.bound.address.isUnspecified;
    this.service = binding.service;
    this.#report = new EndReport(binding.service);
    this.traffic = engine.traffic;
    this.events = engine.events;
    this.clock = engine.clock;
    this.sockets = engine.sockets;
    this.waits = new Deadlines(engine.clock, (wait) => wait.deadlineMissed());
    this.#connections = new TcpConnections(engine.clock, engine.pace);
    this.#connections.update(binding.options);
    this.#recovery = new AcceptRecovery(engine.clock, () => listener.reopen());
  }

  /** Live connections. */
  get liveConnections(): number {
    return this.#connections.size;
  }

  /** Closed, and nothing lives on it. */
  get isOver(): boolean {
    return this.#isClosed && this.#connections.size === 0;
  }

  /** Holds for connections that are accepted from now on; `maxConnections` at once. */
  update(options: BindingOptions): void {
    this.#options = options;
    this.#connections.update(options);
  }

  /** Stops listening; connections go on. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#recovery.cancel();
    this.#listener.close();
    return Promise.resolve();
  }

  isOwnListener(host: string, port: number): boolean {
    return this.#engine.isOwnListener(host, port);
  }

  settled(): void {
    this.#connections.settled();
  }

  entryMade(entry: number, connection: TcpConnection): void {
    this.#engine.entries.set(entry, connection);
  }

  socketOpened(): void {
    this.#openSockets++;
    this.#engine.descriptors.take(1);
  }

  socketClosed(): void {
    this.#openSockets--;
    this.#engine.descriptors.give(1);
    if (this.#openSockets === 0) this.#allClosed?.();
  }

  #accept(client: TcpSocket): void {
    const peer = client.peer();
    // The real local address costs a system call: asked for only where it is not known.
    const local = this.#isWildcard ? client.local() : this.bound;
    if (peer === undefined || local === undefined) {
      // Reset before it was accepted: the kernel no longer knows who it was.
      this.#refuse(client, "client-reset");
    } else if (this.#options.whenFull === "refuse" && this.#connections.isTaken) {
      this.#refuse(client, "max-connections");
    } else if (!this.#engine.descriptors.hasRoomFor(SOCKETS_PER_CONNECTION + this.#connections.dueSockets)) {
      // Before this one gives its descriptor back: was there one to be had?
      this.#engine.lookForDescriptors();
      this.#refuse(client, "no-room");
      this.trouble("no file descriptor to spare; new connections are refused: raise the limit (ulimit -n)");
    } else {
      const connection = new TcpConnection(this, this.#options, client, peer, local);
      if (!this.#connections.admit(connection)) connection.end("no-room");
    }
  }

  #refuse(client: TcpSocket, reason: EndReason): void {
    this.socketOpened();
    client.owner = this.#refused;
    client.reset();
    this.events.dropped(this.service, reason);
  }

  /** A connect failed for want of something on this host. */
  shortage(code: string, message: string): void {
    this.trouble(`${code}: ${message}`);
    if (code !== "EMFILE") return;
    this.#engine.descriptors.ranOut();
    this.#engine.outOfDescriptors();
  }

  trouble(message: string): void {
    const nowMs = this.clock.nowMs();
    if (nowMs < this.#troubleAtMs + LIMITS.troubleSpacingMs) return;
    this.#troubleAtMs = nowMs;
    this.events.trouble(this.service, message);
  }

  /** The process has no descriptor left. */
  outOfDescriptors(): void {
    if (this.#isClosed) return;
    this.trouble("no file descriptor is left; accept may have failed: raise the limit (ulimit -n)");
    this.#recovery.shortageSeen();
  }

  ended(connection: TcpConnection, reason: EndReason, nowMs: number): void {
    const { entry } = connection.flow;
    if (this.#engine.entries.get(entry) === connection) this.#engine.entries.delete(entry);
    this.events.ended(this.#report.of(connection, reason, nowMs));
    this.#connections.remove(connection);
  }

  /** The destination left for good: its connections end, when they are to be cut. */
  destinationRemoved(destination: number, cut: boolean): void {
    if (cut) this.#connections.endTo(destination, "destination-removed");
  }

  /** Resets every live connection, evenly over `spreadMs`; resolves when all are gone. */
  resetAll(spreadMs: number, reason: EndReason): Promise<void> {
    return this.#connections.endAll(spreadMs, reason);
  }

  /** Resolves when no connection is live. */
  whenIdle(): Promise<void> {
    return this.#connections.whenIdle();
  }

  /** Closes everything now; no socket and no timer is left when it resolves. */
  async stop(): Promise<void> {
    await this.close();
    await this.#connections.endAll(0, "drained");
    this.waits.clear();
    if (this.#openSockets > 0) await new Promise<void>((resolve) => this.#allClosed = resolve);
  }
}
