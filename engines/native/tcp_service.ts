/**
 * A TCP virtual service in one worker: takes clients from the listener that all workers share.
 *
 * One listener and not one for each worker (SO_REUSEPORT): a client never waits behind a busy worker while another is idle,
 * a worker that dies takes no waiting client with it, and a few long connections are spread evenly, which a hash would not do.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import { NO_ENTRY, PROTOCOL } from "../../net/flow.ts";
import { Prefix } from "../../net/prefix.ts";
import { EPOLL } from "../../sys/epoll.ts";
import { ERRNO } from "../../sys/errno.ts";
import { portAt, readAddress } from "../../sys/socket_address.ts";
import type { EndReason } from "../engine.ts";
import { AcceptShare } from "./accept_share.ts";
import type { OpenCommand, SentOptions, WorkerOptions } from "./messages.ts";
import type { Watched } from "./reactor.ts";
import type { TcpConnection } from "./tcp_connection.ts";
import type { ConnectionService, Paused, WorkerParts } from "./worker_parts.ts";

/** A client and a server socket. */
const SOCKETS_PER_CONNECTION = 2;
const SHORTAGES = new Set([ERRNO.EMFILE, ERRNO.ENFILE, ERRNO.ENOBUFS, ERRNO.ENOMEM].map((it) => -it));

/** Where records come from. */
export interface ConnectionRecords {
  take(): TcpConnection | undefined;
}

export function receivedOptions(options: SentOptions): WorkerOptions {
  return { ...options, acceptProxyFrom: options.acceptProxyFrom.map((text) => Prefix.parse(text)) };
}

/** Accepts, holds what is too much, counts. */
export class TcpService implements Watched, ConnectionService<TcpConnection>, Paused {
  readonly slot: number;
  readonly service: number;
  readonly #parts: WorkerParts;
  readonly #records: ConnectionRecords;
  readonly #listener: number;
  readonly #address: IpAddress;
  readonly #port: number;
  readonly #readMail: () => void;
  readonly #share: AcceptShare;
  /** Accepted, in order of arrival: neither read nor scheduled until one that runs has ended. */
  readonly #held = new Set<TcpConnection>();
  #options: WorkerOptions;
  #tag: number;
  #isOpen = true;
  /** Accept is off until this time. */
  #pausedUntilMs = 0;
  #live = 0;

  constructor(parts: WorkerParts, records: ConnectionRecords, command: OpenCommand, readMail: () => void) {
    this.slot = command.slot;
    this.service = command.service;
    this.#parts = parts;
    this.#records = records;
    this.#listener = command.descriptors[0] ?? -1;
    this.#address = IpAddress.parse(command.address);
    this.#port = command.port;
    this.#options = receivedOptions(command.options);
    this.#readMail = readMail;
    this.#share = new AcceptShare(parts.memory, parts.worker, command.slot);
    this.#tag = this.#watch();
  }

  #watch(): number {
    return this.#parts.reactor.watch(this.#listener, EPOLL.in | EPOLL.exclusive, this);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get live(): number {
    return this.#live;
  }

  update(options: SentOptions): void {
    this.#options = receivedOptions(options);
    this.startHeld();
  }

  /** Accepts no more; connections go on. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#tag !== 0) this.#parts.reactor.unwatch(this.#listener, this.#tag);
    this.#tag = 0;
  }

  ready(): void {
    // What was told before this client came holds for it.
    this.#readMail();
    this.#acceptAll();
    if (this.#tag !== 0 && this.#share.isExceeded) this.#stepBack();
  }

  #acceptAll(): void {
    for (let accepted = 0; this.#isOpen && this.#share.mayAccept(accepted); accepted++) {
      const descriptor = this.#parts.sockets.accept(this.#listener);
      if (descriptor >= 0) this.#admit(descriptor);
      else if (descriptor === -ERRNO.EAGAIN) return;
      else if (SHORTAGES.has(descriptor)) {
        this.shortage("no file descriptor is left; raise the limit (ulimit -n)");
        return this.#pause();
      }
      // Else this client went away before it was accepted: the next one.
    }
  }

  /**
   * Lets the other workers go first. Of those that wait for an exclusive listener the kernel wakes the one that has watched it
   * longest: clients that come one by one would all be the same worker's.
   */
  #stepBack(): void {
    this.#parts.reactor.unwatch(this.#listener, this.#tag);
    this.#tag = this.#watch();
  }

  /** Out of descriptors accept would fail at once again and again. */
  #pause(): void {
    if (this.#tag !== 0) this.#parts.reactor.unwatch(this.#listener, this.#tag);
    this.#tag = 0;
    this.#pausedUntilMs = performance.now() + LIMITS.acceptBackOffMs;
    this.#parts.pause(this);
  }

  resume(): boolean {
    if (!this.#isOpen) return true;
    if (performance.now() < this.#pausedUntilMs) return false;
    this.#tag = this.#watch();
    return true;
  }

  #admit(descriptor: number): void {
    const { memory, worker } = this.#parts;
    if (!memory.tryReserve(worker, SOCKETS_PER_CONNECTION)) {
      this.#refuse(descriptor, "no-room");
      this.shortage("no file descriptor to spare; new connections are refused: raise the limit (ulimit -n)");
      return;
    }
    const mayRun = this.#mayRun();
    if (!mayRun && this.#options.whenFull === "refuse") return this.#turnAway(descriptor, "max-connections");
    const connection = this.#records.take();
    if (connection === undefined) {
      if (mayRun) memory.endRun(this.slot);
      return this.#turnAway(descriptor, "no-room");
    }
    this.#fillFlow(connection, descriptor);
    memory.addLive(worker, this.slot, 1);
    this.#live++;
    connection.begin(this, this.#options, descriptor);
    if (mayRun) this.#start(connection);
    else this.#hold(connection);
  }

  #turnAway(descriptor: number, reason: EndReason): void {
    const { memory, worker } = this.#parts;
    memory.release(worker, SOCKETS_PER_CONNECTION);
    this.#refuse(descriptor, reason);
  }

  #refuse(descriptor: number, reason: EndReason): void {
    this.#parts.sockets.reset(descriptor);
    this.#parts.events.dropped(this.service, reason);
  }

  /** Counts one more that runs, if it may; nobody goes past those that wait. */
  #mayRun(): boolean {
    const { maxConnections = Infinity } = this.#options;
    const { memory } = this.#parts;
    if (maxConnections !== Infinity && memory.held(this.slot) > 0) return false;
    return memory.tryRun(this.slot, maxConnections);
  }

  #hold(connection: TcpConnection): void {
    const { memory, worker } = this.#parts;
    memory.addHeld(worker, this.slot, 1);
    this.#held.add(connection);
    if (memory.held(this.slot) > LIMITS.heldConnections) {
      connection.end("no-room");
      return;
    }
    connection.wait(this.#options.queueTimeoutMs);
    // Another worker's connection may have ended just before this one was seen to wait.
    this.startHeld();
  }

  #fillFlow(connection: TcpConnection, descriptor: number): void {
    const { sockets } = this.#parts;
    const { flow } = connection;
    flow.protocol = PROTOCOL.tcp;
    flow.family = readAddress(sockets.peer, flow.client);
    flow.clientPort = portAt(sockets.peer);
    flow.service = this.service;
    flow.mark = 0;
    flow.packets = 0;
    flow.entry = NO_ENTRY;
    flow.virtualPort = this.#port;
    // The real local address costs a system call: asked for only where it is not known.
    const local = this.#address.isUnspecified ? sockets.localEndpoint(descriptor).address : this.#address;
    flow.virtual.set(local.words);
  }

  #start(connection: TcpConnection): void {
    const { acceptProxyFrom } = this.#options;
    const { flow } = connection;
    const awaitsHeader = acceptProxyFrom.length > 0 &&
      acceptProxyFrom.some((prefix) => prefix.contains(new IpAddress(flow.family, flow.client)));
    connection.start(awaitsHeader);
  }

  /** Lets held connections run, as many as may. */
  startHeld(): void {
    const { memory, worker } = this.#parts;
    const most = this.#options.maxConnections ?? Infinity;
    for (const next of this.#held) {
      if (!memory.tryRun(this.slot, most)) return;
      this.#held.delete(next);
      memory.addHeld(worker, this.slot, -1);
      this.#start(next);
    }
  }

  get hasHeld(): boolean {
    return this.#held.size > 0;
  }

  ended(connection: TcpConnection, reason: EndReason, wasHeld: boolean): void {
    const { memory, worker, events } = this.#parts;
    this.#live--;
    events.ended(this.service, reason, connection);
    if (wasHeld && this.#held.delete(connection)) memory.addHeld(worker, this.slot, -1);
    else memory.endRun(this.slot);
    memory.addLive(worker, this.slot, -1);
    memory.release(worker, SOCKETS_PER_CONNECTION);
    if (this.#options.maxConnections !== undefined && memory.held(this.slot) > 0) this.#parts.ringAll();
  }

  /** Something on this host was missing: not the client's fault, nor the destination's. */
  shortage(message: string): void {
    this.#parts.trouble(this.service, message);
  }
}
