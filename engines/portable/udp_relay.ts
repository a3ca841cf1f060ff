/**
 * Finds or makes the session of each datagram, and carries datagrams both ways.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { ACTION, type TrafficEntrance, type Verdict } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { DIRECTION, Flow, NO_ENTRY, PROTOCOL } from "../../net/flow.ts";
import type { Binding, BindingOptions, EndReason, EngineEvents } from "../engine.ts";
import { errorCode } from "./bind_error.ts";
import { ownShortage } from "./tcp_failures.ts";
import { UdpBuffers } from "./udp_buffers.ts";
import type { UdpDescriptors } from "./udp_descriptors.ts";
import { destinationFailure, refusalReason } from "./udp_reasons.ts";
import { type SessionOwner, UdpSession } from "./udp_session.ts";
import { UdpSessionTable } from "./udp_session_table.ts";
import { openUdpSocket } from "./udp_socket.ts";

/** What a binding needs of its engine. */
export interface UdpHost {
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
  /** Shared by all UDP services of the engine. */
  readonly descriptors: UdpDescriptors;
  /** Whether traffic to this address would come back to this program. */
  isOwnListener(host: string, port: number): boolean;
}

/** Room before a received datagram for the longest PROXY header (IPv6), so that it is put in front without a copy. */
export const HEADER_ROOM_BYTES = 52;

/** The sessions of one UDP service. */
export class UdpRelay implements SessionOwner {
  readonly #host: UdpHost;
  readonly #service: number;
  readonly #bound: Endpoint;
  readonly #listener: Deno.DatagramConn;
  readonly #idle: () => void;
  readonly #sessions: UdpSessionTable;
  readonly #buffers = new UdpBuffers();
  readonly #loops = new Set<Promise<void>>();
  /** Refilled for each datagram that has no session yet. */
  readonly #flow = new Flow();
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
  #refusesNew = false;
  #idleWaiters: (() => void)[] = [];
  #nextTroubleMs = -Infinity;

  /** @param idle called each time that the last session has ended */
  constructor(
    host: UdpHost,
    binding: Binding,
    bound: Endpoint,
    listener: Deno.DatagramConn,
    idle: () => void,
  ) {
    this.#host = host;
    this.#service = binding.service;
    this.#ended.service = binding.service;
    this.#bound = bound;
    this.#listener = listener;
    this.#idle = idle;
    this.#options = binding.options;
    this.#sessions = new UdpSessionTable(host.clock, (session) => this.#end(session, "idle-timeout", true));
    this.#sessions.setIdle(idleMs(binding.options));
  }

  get liveSessions(): number {
    return this.#sessions.size;
  }

  /** Whether datagrams of new clients are dropped. */
  get refusesNew(): boolean {
    return this.#refusesNew;
  }

  refuseNew(): void {
    this.#refusesNew = true;
  }

  update(options: BindingOptions): void {
    this.#options = options;
    this.#sessions.setIdle(idleMs(options));
    this.#evictDownTo(options.maxSessions);
  }

  endSessionsTo(destination: number): void {
    for (const session of this.#sessions.all()) {
      if (session.target.destination === destination) this.#end(session, "destination-removed", true);
    }
  }

  entryExpired(entry: number): void {
    const session = this.#sessions.withEntry(entry);
    if (session !== undefined) this.#end(session, "idle-timeout", false);
  }

  endAll(reason: EndReason): void {
    for (const session of this.#sessions.all()) this.#end(session, reason, true);
  }

  whenIdle(): Promise<void> {
    if (this.#sessions.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Resolves when the sockets of all ended sessions are closed. */
  async settled(): Promise<void> {
    await Promise.all(this.#loops);
  }

  /** The session that a datagram belongs to, made when need be; undefined when the datagram is dropped. */
  route(bytes: number, from: Deno.NetAddr): UdpSession | undefined {
    const client = `${from.hostname}:${from.port}`;
    const nowMs = this.#host.clock.nowMs();
    if (this.#options.onePacket) return this.#routeOnePacket(client, bytes, from, nowMs);
    const known = this.#sessions.get(client);
    if (known === undefined && this.#refusesNew) return this.#drop("service-removed");
    const flow = known?.flow ?? this.#fill(this.#flow, from);
    const verdict = this.#host.traffic.segment(flow, DIRECTION.input, 0, bytes, nowMs);
    if (verdict.action !== ACTION.forward) return this.#drop(refusalReason(verdict.reason));
    // The director may have ended an entry whose time was up, and the session with it, to make a new one.
    if (known === undefined || known.isOver) return this.#open(client, from, verdict, nowMs);
    if (known.target.destination !== verdict.destination || known.target.port !== verdict.destinationPort) {
      return this.#open(client, from, verdict, nowMs, known);
    }
    this.#sessions.bindEntry(known, verdict.entry);
    this.#sessions.touch(known, nowMs);
    return known;
  }

  #routeOnePacket(client: string, bytes: number, from: Deno.NetAddr, nowMs: number): UdpSession | undefined {
    if (this.#refusesNew) return this.#drop("service-removed");
    const flow = this.#fill(this.#flow, from);
    const verdict = this.#host.traffic.segment(flow, DIRECTION.input, 0, bytes, nowMs);
    if (verdict.action !== ACTION.forward) return this.#drop(refusalReason(verdict.reason));
    const key = `${client}>${verdict.destination}:${verdict.destinationPort}`;
    const known = this.#sessions.get(key);
    if (known === undefined) return this.#open(key, from, verdict, nowMs);
    this.#sessions.touch(known, nowMs);
    return known;
  }

  #fill(flow: Flow, from: Deno.NetAddr): Flow {
    const client = IpAddress.parse(from.hostname);
    const virtual = this.#bound.address;
    flow.protocol = PROTOCOL.udp;
    flow.family = client.family;
    flow.client.set(client.words);
    flow.clientPort = from.port;
    // An IPv4 client of a dual-stack wildcard: the flow's wildcard is IPv4's, and both are all zeros.
    flow.virtual.set(virtual.words);
    flow.virtualPort = this.#bound.port;
    flow.service = this.#service;
    flow.entry = NO_ENTRY;
    return flow;
  }

  /** Makes the session that a verdict asks for; `left` is the client's session before its entry went elsewhere. */
  #open(
    key: string,
    from: Deno.NetAddr,
    verdict: Verdict,
    nowMs: number,
    left?: UdpSession,
  ): UdpSession | undefined {
    const { entry, destination, destinationPort: port } = verdict;
    const { host, family } = this.#host.traffic.destinationAddress(destination);
    const flow = this.#fill(new Flow(), from);
    flow.entry = entry;
    if (left !== undefined) this.#end(left, "destination-removed", false);
    if (this.#refusesNew) return this.#giveUp(flow, "service-removed", nowMs);
    if (this.#host.isOwnListener(host, port)) {
      this.#destinationFailed(destination, flow, "loop");
      return this.#drop("loop");
    }
    const socket = this.#hasRoom() ? this.#openSocket(family) : undefined;
    if (socket === undefined) return this.#giveUp(flow, "no-room", nowMs);
    const session = new UdpSession(key, flow, from, { destination, host, family, port }, socket, nowMs);
    this.#sessions.add(session);
    this.#sessions.bindEntry(session, entry);
    this.#track(this.#relayReplies(session));
    return session;
  }

  /** No session after all: its entry must not wait for one. */
  #giveUp(flow: Flow, reason: EndReason, nowMs: number): undefined {
    if (flow.entry !== NO_ENTRY) this.#host.traffic.forget(flow, nowMs);
    return this.#drop(reason);
  }

  /** Makes room for one more session; the least recently used ones give way. */
  #hasRoom(): boolean {
    this.#evictDownTo(this.#options.maxSessions - 1);
    if (!this.#host.descriptors.hasRoom) this.#evictDownTo(this.#sessions.size - 1);
    return this.#host.descriptors.hasRoom;
  }

  #openSocket(family: 4 | 6): Deno.DatagramConn | undefined {
    try {
      const socket = openUdpSocket(family === 6 ? "::" : "0.0.0.0", 0);
      this.#host.descriptors.take();
      return socket;
    } catch (error) {
      const code = errorCode(error);
      if (code === "EMFILE") this.#host.descriptors.ranOut();
      this.trouble(`no socket for a new client: ${ownShortage(code) ?? code}`);
      return undefined;
    }
  }

  async #relayReplies(session: UdpSession): Promise<void> {
    const buffer = this.#buffers.take();
    await session.relayReplies(buffer, this);
    this.#buffers.give(buffer);
  }

  /** Sends a datagram that lies in `buffer` behind the room for a header. */
  async forward(session: UdpSession, buffer: Uint8Array, datagram: Uint8Array): Promise<void> {
    const length = datagram.length;
    try {
      if (this.#options.sendProxy === "none") await session.send(datagram);
      else {
        const header = session.proxyHeader();
        const start = HEADER_ROOM_BYTES - header.length;
        buffer.set(header, start);
        await session.send(buffer.subarray(start, HEADER_ROOM_BYTES + length));
      }
      session.bytesIn += length;
    } catch (error) {
      // A session that ended while its datagram waited for the send queue takes it along.
      if (session.isOver) this.#drop("error");
      else this.socketFailed(session, error);
    }
  }

  async replied(session: UdpSession, datagram: Uint8Array): Promise<void> {
    const { traffic, clock, events } = this.#host;
    const nowMs = clock.nowMs();
    const bytes = datagram.length;
    if (session.entry !== NO_ENTRY) {
      const verdict = traffic.segment(session.flow, DIRECTION.output, 0, bytes, nowMs);
      if (verdict.action !== ACTION.forward) {
        // Found out of time by this very datagram, the entry has taken the session along.
        this.#drop(session.isOver ? "idle-timeout" : refusalReason(verdict.reason));
        return;
      }
    }
    this.#sessions.touch(session, nowMs);
    if (!session.answered) events.connectSucceeded(session.target.destination);
    session.answered = true;
    try {
      await this.#listener.send(datagram, session.client);
      session.bytesOut += bytes;
    } catch {
      // Its network is gone, or a firewall of this host forbids it: UDP loses it, the server is not to blame.
      this.#drop("error");
    }
  }

  foreignReply(_session: UdpSession): void {
    this.#drop("source-foreign");
  }

  socketFailed(session: UdpSession, error: unknown): void {
    const reason = destinationFailure(errorCode(error));
    if (reason === undefined) {
      this.#drop("error");
      return;
    }
    this.#end(session, reason, false);
    this.#destinationFailed(session.target.destination, session.flow, reason);
  }

  #destinationFailed(destination: number, flow: Flow, reason: EndReason): void {
    const { events, traffic, clock } = this.#host;
    events.connectFailed(destination, reason);
    if (this.#options.retries > 0 && !this.#options.onePacket) {
      traffic.reschedule(flow, [destination], clock.nowMs());
    }
  }

  /** Ends a session; `forget` also takes its entry out of the director's table. */
  #end(session: UdpSession, reason: EndReason, forget: boolean): void {
    const { traffic, events, clock } = this.#host;
    const nowMs = clock.nowMs();
    session.close();
    this.#host.descriptors.give();
    this.#sessions.delete(session);
    if (forget && session.entry !== NO_ENTRY) traffic.forget(session.flow, nowMs);
    const ended = this.#ended;
    ended.client = session.clientText;
    ended.destination = session.destinationText;
    ended.reason = reason;
    ended.durationMs = nowMs - session.startMs;
    ended.bytesIn = session.bytesIn;
    ended.bytesOut = session.bytesOut;
    events.ended(ended);
    if (this.#sessions.size > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
    this.#idle();
  }

  #evictDownTo(sessions: number): void {
    while (this.#sessions.size > Math.max(0, sessions)) {
      const oldest = this.#sessions.oldest();
      if (oldest === undefined) return;
      this.#end(oldest, "evicted", true);
    }
  }

  #drop(reason: EndReason): undefined {
    this.#host.events.dropped(this.#service, reason);
  }

  /** A flood must not flood the log too. */
  trouble(message: string): void {
    const nowMs = this.#host.clock.nowMs();
    if (nowMs < this.#nextTroubleMs) return;
    this.#nextTroubleMs = nowMs + LIMITS.troubleSpacingMs;
    this.#host.events.trouble(this.#service, message);
  }

  #track(loop: Promise<void>): void {
    this.#loops.add(loop);
    loop.finally(() => this.#loops.delete(loop));
  }
}

function idleMs(options: BindingOptions): number {
  return options.idleTimeoutMs ?? (options.onePacket ? LIMITS.onePacketReplyMs : Infinity);
}
