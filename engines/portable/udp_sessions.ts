/**
 * The lives of a UDP service's sessions: opened within the limits, ended for a reason, reported.
 *
 * @module
 */
import { permissionError } from "../../errors.ts";
import type { Clock } from "../../clock.ts";
import type { TrafficEntrance } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { type Flow, NO_ENTRY } from "../../net/flow.ts";
import type { Binding, BindingOptions, EndReason, EngineEvents } from "../engine.ts";
import { errorCode } from "./bind_error.ts";
import { ownShortage } from "./tcp_failures.ts";
import { UdpBuffers } from "./udp_buffers.ts";
import type { UdpDescriptors } from "./udp_descriptors.ts";
import { type SessionOwner, type SessionTarget, UdpSession } from "./udp_session.ts";
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

/** Opens and ends the sessions of one service. */
export class UdpSessions {
  readonly #host: UdpHost;
  readonly #service: number;
  readonly #emptied: () => void;
  readonly #table: UdpSessionTable;
  readonly #buffers = new UdpBuffers();
  readonly #loops = new Set<Promise<void>>();
  /** Told to the log again and again, with other values. */
  readonly #ended = {
    service: 0,
    client: "",
    destination: "",
    reason: "done" as EndReason,
    durationMs: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  #maxSessions: number;
  #idleWaiters: (() => void)[] = [];
  #nextTroubleMs = -Infinity;

  /** @param emptied called each time that the last session has ended */
  constructor(host: UdpHost, { service, options }: Binding, emptied: () => void) {
    this.#host = host;
    this.#service = service;
    this.#ended.service = service;
    this.#emptied = emptied;
    this.#maxSessions = options.maxSessions;
    this.#table = new UdpSessionTable(host.clock, (session) => this.end(session, "idle-timeout", true));
    this.#table.setIdle(idleMs(options));
  }

  get size(): number {
    return this.#table.size;
  }

  update(options: BindingOptions): void {
    this.#maxSessions = options.maxSessions;
    this.#table.setIdle(idleMs(options));
    this.#evictDownTo(options.maxSessions);
  }

  get(key: string): UdpSession | undefined {
    return this.#table.get(key);
  }

  /** A session was used for a connection entry of the director. */
  used(session: UdpSession, entry: number, nowMs: number): void {
    this.#table.bindEntry(session, entry);
    this.#table.touch(session, nowMs);
  }

  /** A session with a socket of its own; undefined, with its reason counted, when there is no room for one. */
  open(
    key: string,
    flow: Flow,
    client: Deno.NetAddr,
    target: SessionTarget,
    nowMs: number,
    owner: SessionOwner,
  ): UdpSession | undefined {
    const socket = this.#makeRoom() ? this.#openSocket(target.family) : undefined;
    if (socket === undefined) return this.drop("no-room");
    const session = new UdpSession(key, flow, client, target, socket, nowMs);
    this.#table.add(session);
    this.#table.bindEntry(session, flow.entry);
    const loop = this.#relayReplies(session, owner).finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
    return session;
  }

  /** Ends a session; `forget` also takes its entry out of the director's table. */
  end(session: UdpSession, reason: EndReason, forget: boolean): void {
    const { traffic, events, clock, descriptors } = this.#host;
    const nowMs = clock.nowMs();
    session.close();
    descriptors.give();
    this.#table.delete(session);
    if (forget && session.entry !== NO_ENTRY) traffic.forget(session.flow, nowMs);
    const ended = this.#ended;
    ended.client = session.clientText;
    ended.destination = session.destinationText;
    ended.reason = reason;
    ended.durationMs = nowMs - session.startMs;
    ended.bytesIn = session.bytesIn;
    ended.bytesOut = session.bytesOut;
    events.ended(ended);
    if (this.#table.size > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
    this.#emptied();
  }

  /** Ends all sessions, or those to one destination. */
  endAll(reason: EndReason, destination?: number): void {
    for (const session of this.#table.all()) {
      if (destination === undefined || session.target.destination === destination) {
        this.end(session, reason, true);
      }
    }
  }

  /** The director's entry came to its end. */
  entryExpired(entry: number): void {
    const session = this.#table.withEntry(entry);
    if (session !== undefined) this.end(session, "idle-timeout", false);
  }

  whenIdle(): Promise<void> {
    if (this.#table.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Resolves when the sockets of all ended sessions are closed. */
  async settled(): Promise<void> {
    await Promise.all(this.#loops);
  }

  /** One datagram is lost. */
  drop(reason: EndReason): undefined {
    this.#host.events.dropped(this.#service, reason);
  }

  /** Something that people should know; a flood must not flood the log too. */
  trouble(message: string): void {
    const nowMs = this.#host.clock.nowMs();
    if (nowMs < this.#nextTroubleMs) return;
    this.#nextTroubleMs = nowMs + LIMITS.troubleSpacingMs;
    this.#host.events.trouble(this.#service, message);
  }

  /** Makes room for one more session; the least recently used ones give way. */
  #makeRoom(): boolean {
    this.#evictDownTo(this.#maxSessions - 1);
    if (!this.#host.descriptors.hasRoom) this.#evictDownTo(this.#table.size - 1);
    return this.#host.descriptors.hasRoom;
  }

  #evictDownTo(sessions: number): void {
    while (this.#table.size > Math.max(0, sessions)) {
      const oldest = this.#table.oldest();
      if (oldest === undefined) return;
      this.end(oldest, "evicted", true);
    }
  }

  #openSocket(family: 4 | 6): Deno.DatagramConn | undefined {
    const { descriptors } = this.#host;
    try {
      const socket = openUdpSocket(family === 6 ? "::" : "0.0.0.0", 0);
      descriptors.take();
      return socket;
    } catch (error) {
      const code = errorCode(error);
      if (code === "EMFILE") descriptors.ranOut();
      this.trouble(
        `no socket for a new client: ${permissionError(error)?.message ?? ownShortage(code) ?? code}`,
      );
      return undefined;
    }
  }

  async #relayReplies(session: UdpSession, owner: SessionOwner): Promise<void> {
    const buffer = this.#buffers.take();
    await session.relayReplies(buffer, owner);
    this.#buffers.give(buffer);
  }
}

function idleMs(options: BindingOptions): number {
  return options.idleTimeoutMs ?? (options.onePacket ? LIMITS.onePacketReplyMs : Infinity);
}
