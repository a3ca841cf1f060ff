/**
 * One proxied TCP connection, from accept to its end.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { ACTION, DROP_REASON, type TrafficEntrance } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { DIRECTION, type Direction, type Flow, TCP_FLAG } from "../../net/flow.ts";
import { ProxyDecoder } from "../../net/proxy_decoder.ts";
import type { BindingOptions, EndReason } from "../engine.ts";
import { refusalReason } from "../refusals.ts";
import { acceptedFlow, applyProxyHeader, proxyHeaderFor } from "./proxied_addresses.ts";
import { type DialOwner, TcpDial } from "./tcp_dial.ts";
import { isReset } from "./tcp_failures.ts";
import { TcpHalf } from "./tcp_half.ts";
import type { TcpHost, Wait } from "./tcp_host.ts";
import type { SocketOwner, TcpSocket } from "./tcp_socket.ts";

/** A binding as its connections see it. */
export interface TcpKeeper extends TcpHost {
  /** A started connection has got its server, or is over. Called once. */
  settled(): void;
  /** The director holds this entry for the connection. */
  entryMade(entry: number, connection: TcpConnection): void;
  /** The connection is over; called once. */
  ended(connection: TcpConnection, reason: EndReason, nowMs: number): void;
}

/**
 * An accepted client connection and, once there is one, the connection to its real server. It owns the client's socket
 * itself until the client is read for its real server.
 */
export class TcpConnection implements DialOwner, SocketOwner, Wait {
  readonly flow: Flow;
  readonly startMs: number;
  /** Of the wait for its turn, then for a PROXY header. */
  deadlineMs = Infinity;
  readonly #host: TcpKeeper;
  readonly #options: BindingOptions;
  readonly #client: TcpSocket;
  readonly #input: TcpHalf;
  readonly #output: TcpHalf;
  readonly #dial: TcpDial;
  #server: TcpSocket | undefined;
  #decoder: ProxyDecoder | undefined;
  #isHeld = false;
  /** For a server. */
  #isAsking = false;
  #hasEntry = false;
  #isOver = false;

  constructor(host: TcpKeeper, options: BindingOptions, client: TcpSocket, peer: Endpoint, local: Endpoint) {
    this.#host = host;
    this.#options = options;
    this.#client = client;
    this.startMs = host.clock.nowMs();
    this.flow = acceptedFlow(host.service, peer, local);
    this.#input = new TcpHalf(this, DIRECTION.input, this.startMs);
    this.#output = new TcpHalf(this, DIRECTION.output, this.startMs);
    this.#dial = new TcpDial(this, host, options);
    if (isBelieved(options, peer.address)) this.#decoder = new ProxyDecoder();
    host.socketOpened();
    client.owner = this;
  }

  get traffic(): TrafficEntrance {
    return this.#host.traffic;
  }

  get clock(): Clock {
    return this.#host.clock;
  }

  get fromServer(): SocketOwner {
    return this.#output;
  }

  /** Handle of the destination, -1 while there is none. */
  get destination(): number {
    return this.#dial.destination;
  }

  get destinationText(): string {
    return this.#dial.destinationText;
  }

  get clientText(): string {
    const { family, client, clientPort } = this.flow;
    return formatEndpoint({ address: new IpAddress(family, client), port: clientPort });
  }

  /** Payload bytes from the client that were passed on. */
  get bytesIn(): number {
    return this.#input.bytes;
  }

  /** Payload bytes to the client. */
  get bytesOut(): number {
    return this.#output.bytes;
  }

  /** When quiet for too long, unless bytes come before. */
  get idleDeadlineMs(): number {
    const lastActiveMs = Math.max(this.#input.lastMs, this.#output.lastMs);
    return lastActiveMs + (this.#options.idleTimeoutMs ?? Infinity);
  }

  /** Does not read the client until {@linkcode start}. */
  hold(): void {
    this.#isHeld = true;
    const { queueTimeoutMs } = this.#options;
    if (queueTimeoutMs !== undefined) this.#waitFor(queueTimeoutMs);
  }

  /** Reads the client from now on, and finds it a destination. */
  start(nowMs: number): void {
    this.#isHeld = false;
    this.#isAsking = true;
    this.#waitNoMore();
    if (this.#decoder === undefined) this.#decide(nowMs);
    else this.#waitFor(LIMITS.proxyHeaderWaitMs);
    if (!this.#isOver) this.#client.readStart();
  }

  #waitFor(durationMs: number): void {
    this.deadlineMs = this.clock.nowMs() + durationMs;
    this.#host.waits.add(this);
  }

  #waitNoMore(): void {
    if (this.deadlineMs === Infinity) return;
    this.deadlineMs = Infinity;
    this.#host.waits.delete(this);
  }

  /** Its turn, or the PROXY header that was promised, did not come in time. */
  deadlineMissed(): void {
    this.end(this.#isHeld ? "queue-timeout" : "proxy-header");
  }

  /** Takes the PROXY header, and what came with it. */
  receive(chunk: Uint8Array): boolean {
    const progress = this.#decoder?.push(chunk);
    if (progress === undefined || progress.state === "broken") this.end("proxy-header");
    if (progress?.state !== "header") return !this.#isOver;
    this.#decoder = undefined;
    this.#waitNoMore();
    applyProxyHeader(this.flow, progress.header);
    this.#decide(this.clock.nowMs());
    if (this.#isOver) return false;
    return progress.rest.length === 0 || this.#input.receive(progress.rest);
  }

  readonly isHolding = false;

  ended(): void {
    this.end("proxy-header");
  }

  flushed(): void {}

  failed(code: string): void {
    this.sideFailed(DIRECTION.input, code);
  }

  closed(): void {
    this.socketClosed();
  }

  #decide(nowMs: number): void {
    const { traffic, flow } = this;
    let verdict = traffic.segment(flow, DIRECTION.input, TCP_FLAG.syn, 0, nowMs);
    if (verdict.reason === DROP_REASON.destinationRemoved) {
      // The entry of an earlier connection from this client port, whose destination left: its FINs were dropped as the
      // kernel drops them, so it never reached TIME_WAIT. That connection is over, or this one could not be here.
      traffic.forget(flow, nowMs);
      verdict = traffic.segment(flow, DIRECTION.input, TCP_FLAG.syn, 0, nowMs);
    }
    if (verdict.action !== ACTION.forward) {
      this.end(refusalReason(verdict.reason));
      return;
    }
    this.#hasEntry = true;
    this.#host.entryMade(verdict.entry, this);
    this.#input.setSource(this.#client, this.#output);
    this.#dial.start(verdict, nowMs);
  }

  connected(server: TcpSocket): void {
    const { flow, traffic, clock } = this;
    const { sendProxy } = this.#options;
    this.#server = server;
    this.#settle();
    this.#host.events.connectSucceeded(this.destination);
    const nowMs = clock.nowMs();
    traffic.segment(flow, DIRECTION.output, TCP_FLAG.syn | TCP_FLAG.ack, 0, nowMs);
    traffic.segment(flow, DIRECTION.input, TCP_FLAG.ack, 0, nowMs);
    this.#output.setSource(server, this.#input);
    this.#output.setTarget(this.#client);
    this.#input.setTarget(server, sendProxy === "none" ? undefined : proxyHeaderFor(flow, sendProxy));
    server.readStart();
  }

  dialFailed(reason: EndReason): void {
    this.end(reason, DIRECTION.output);
  }

  sideFailed(direction: Direction, code: string): void {
    const reason = direction === DIRECTION.input ? "client-reset" : "server-reset";
    this.end(isReset(code) ? reason : "error", direction);
  }

  socketClosed(): void {
    this.#host.socketClosed();
  }

  bothDone(nowMs: number): void {
    this.#client.close();
    this.#server?.close();
    this.#over("done", nowMs);
  }

  /** The director has forgotten this connection. */
  entryExpired(): void {
    this.#hasEntry = false;
    this.end("idle-timeout");
  }

  /**
   * Ends the connection now: both sides see a reset.
   *
   * @param from the side that broke it off, for the director's state; the client's when lvsd itself ends it
   */
  end(reason: EndReason, from: Direction = DIRECTION.input): void {
    if (this.#isOver) return;
    this.#client.reset();
    this.#server?.reset();
    const nowMs = this.clock.nowMs();
    if (this.#hasEntry) this.traffic.segment(this.flow, from, TCP_FLAG.rst, 0, nowMs);
    this.#over(reason, nowMs);
  }

  #over(reason: EndReason, nowMs: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waitNoMore();
    this.#dial.stop()?.reset();
    this.#settle();
    this.#host.ended(this, reason, nowMs);
  }

  #settle(): void {
    if (!this.#isAsking) return;
    this.#isAsking = false;
    this.#host.settled();
  }
}

function isBelieved({ acceptProxyFrom }: BindingOptions, peer: IpAddress): boolean {
  return acceptProxyFrom.length > 0 && acceptProxyFrom.some((prefix) => prefix.contains(peer));
}
