/**
 * Finds the session of each datagram, and carries datagrams both ways.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { SystemError } from "../../errors.ts";
import { readKeyFile } from "../../sys/key_file.ts";
import { ACTION, type Verdict } from "../../director/verdict.ts";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { DIRECTION, Flow, NO_ENTRY, type Payload, PROTOCOL } from "../../net/flow.ts";
import type { Binding, BindingOptions, EndReason } from "../engine.ts";
import { refusalReason } from "../refusals.ts";
import { errorCode } from "./bind_error.ts";
import { destinationFailure } from "./udp_reasons.ts";
import type { SessionOwner, SessionTarget, UdpSession } from "./udp_session.ts";
import { type UdpHost, UdpSessions } from "./udp_sessions.ts";

/** Room before a received datagram for the longest PROXY header (IPv6), so that it is put in front without a copy. */
export const HEADER_ROOM_BYTES = 52;

const NO_DATAGRAM = new Uint8Array(0);

/** The two ways of one service's datagrams. */
export class UdpRelay implements SessionOwner, Payload {
  readonly sessions: UdpSessions;
  /** Whether datagrams of new clients are dropped. */
  refusesNew = false;
  readonly #host: UdpHost;
  readonly #service: number;
  readonly #bound: Endpoint;
  readonly #listener: Deno.DatagramConn;
  /** The one at hand, for the director's persistence engines. */
  #datagram: Uint8Array = NO_DATAGRAM;
  /** Refilled for each datagram that has no session yet. */
  readonly #flow = new Flow();
  #options: BindingOptions;

  /** @param emptied called each time that the last session has ended */
  constructor(
    host: UdpHost,
    binding: Binding,
    bound: Endpoint,
    listener: Deno.DatagramConn,
    emptied: () => void,
  ) {
    this.#host = host;
    this.#service = binding.service;
    this.#bound = bound;
    this.#listener = listener;
    this.#options = binding.options;
    this.sessions = new UdpSessions(host, binding, emptied);
  }

  update(options: BindingOptions): void {
    this.#options = options;
    this.sessions.update(options);
  }

  /** The session that a datagram belongs to, made when need be; undefined when the datagram is dropped. */
  route(datagram: Uint8Array, from: Deno.NetAddr): UdpSession | undefined {
    const bytes = datagram.length;
    this.#datagram = datagram;
    const client = `${from.hostname}:${from.port}`;
    const nowMs = this.#host.clock.nowMs();
    if (this.#options.onePacket) return this.#routeOnePacket(client, bytes, from, nowMs);
    const known = this.sessions.get(client);
    if (known === undefined && this.refusesNew) return this.sessions.drop("service-removed");
    const flow = known?.flow ?? this.#fill(this.#flow, from);
    const verdict = this.#host.traffic.segment(flow, DIRECTION.input, 0, bytes, nowMs);
    if (verdict.action !== ACTION.forward) return this.sessions.drop(refusalReason(verdict.reason));
    // The director may have ended an entry whose time was up, and the session with it, to make a new one.
    if (known === undefined || known.isOver) return this.#open(client, from, verdict, nowMs);
    if (known.target.destination !== verdict.destination || known.target.port !== verdict.destinationPort) {
      return this.#open(client, from, verdict, nowMs, known);
    }
    this.sessions.used(known, verdict.entry, nowMs);
    return known;
  }

  #routeOnePacket(client: string, bytes: number, from: Deno.NetAddr, nowMs: number): UdpSession | undefined {
    if (this.refusesNew) return this.sessions.drop("service-removed");
    const flow = this.#fill(this.#flow, from);
    const verdict = this.#host.traffic.segment(flow, DIRECTION.input, 0, bytes, nowMs);
    if (verdict.action !== ACTION.forward) return this.sessions.drop(refusalReason(verdict.reason));
    const key = `${client}>${verdict.destination}:${verdict.destinationPort}`;
    const known = this.sessions.get(key);
    if (known === undefined) return this.#open(key, from, verdict, nowMs);
    this.sessions.used(known, NO_ENTRY, nowMs);
    return known;
  }

  #fill(flow: Flow, from: Deno.NetAddr): Flow {
    const client = IpAddress.parse(from.hostname);
    flow.protocol = PROTOCOL.udp;
    flow.family = client.family;
    flow.client.set(client.words);
    flow.clientPort = from.port;
    // An IPv4 client of a dual-stack wildcard: the flow's wildcard is IPv4's, and both are all zeros.
    flow.virtual.set(this.#bound.address.words);
    flow.virtualPort = this.#bound.port;
    flow.service = this.#service;
    flow.payload = this;
    flow.entry = NO_ENTRY;
    return flow;
  }

  payload(): Uint8Array {
    return this.#datagram;
  }

  /** Makes the session that a verdict asks for; `left` is the client's session before its entry went elsewhere. */
  #open(
    key: string,
    from: Deno.NetAddr,
    verdict: Verdict,
    nowMs: number,
    left?: UdpSession,
  ): UdpSession | undefined {
    const { traffic } = this.#host;
    const { entry, destination, destinationPort: port } = verdict;
    const { host, family } = traffic.destinationAddress(destination);
    const flow = this.#fill(new Flow(), from);
    flow.entry = entry;
    if (left !== undefined) this.sessions.end(left, "destination-removed", false);
    if (this.#host.isOwnListener(host, port)) {
      this.#destinationFailed(destination, flow, "loop");
      return this.sessions.drop("loop");
    }
    const session = this.refusesNew
      ? this.sessions.drop("service-removed")
      : this.sessions.open(key, flow, from, this.#target(destination, host, family, port), nowMs, this);
    // No session after all: its entry must not wait for one.
    if (session === undefined && entry !== NO_ENTRY) traffic.forget(flow, nowMs);
    return session;
  }

  /** The destination, or the peer of its tunnel; the key is read for each session, so that it may be changed. */
  #target(destination: number, host: string, family: 4 | 6, port: number): SessionTarget {
    const plain = { destination, host, family, port };
    const tunnel = this.#options.tunnels?.get(family === 6 ? `[${host}]:${port}` : `${host}:${port}`);
    if (tunnel === undefined) return plain;
    try {
      return { ...plain, tunnel: { port: tunnel.port, key: readKeyFile(tunnel.keyFile) } };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.sessions.trouble(error.message);
      // Nobody has this key: the peer refuses all.
      return { ...plain, tunnel: { port: tunnel.port, key: new Uint8Array(randomBytes(32)) } };
    }
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
      if (session.isOver) this.sessions.drop("error");
      else this.socketFailed(session, error);
    }
  }

  async replied(session: UdpSession, datagram: Uint8Array): Promise<void> {
    const { traffic, clock, events } = this.#host;
    const nowMs = clock.nowMs();
    const bytes = datagram.length;
    if (session.entry !== NO_ENTRY) {
      const { action, reason } = traffic.segment(session.flow, DIRECTION.output, 0, bytes, nowMs);
      if (action !== ACTION.forward) {
        // Found out of time by this very datagram, the entry has taken the session along.
        this.sessions.drop(session.isOver ? "idle-timeout" : refusalReason(reason));
        return;
      }
    }
    this.sessions.used(session, session.entry, nowMs);
    if (!session.answered) events.connectSucceeded(session.target.destination);
    session.answered = true;
    try {
      await this.#listener.send(datagram, session.client);
      session.bytesOut += bytes;
    } catch {
      // Its network is gone, or a firewall of this host forbids it: UDP loses it, the server is not to blame.
      this.sessions.drop("error");
    }
  }

  foreignReply(_session: UdpSession): void {
    this.sessions.drop("source-foreign");
  }

  socketFailed(session: UdpSession, error: unknown): void {
    const reason = destinationFailure(errorCode(error));
    if (reason === undefined) {
      this.sessions.drop("error");
      return;
    }
    this.sessions.end(session, reason, false);
    this.#destinationFailed(session.target.destination, session.flow, reason);
  }

  #destinationFailed(destination: number, flow: Flow, reason: EndReason): void {
    const { events, traffic, clock } = this.#host;
    events.connectFailed(destination, reason);
    if (this.#options.retries > 0 && !this.#options.onePacket) {
      traffic.reschedule(flow, [destination], clock.nowMs());
    }
  }
}
