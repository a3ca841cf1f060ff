/**
 * One proxied TCP connection, from accept to its end.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import { ACTION, DROP_REASON, type TrafficEntrance } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { DIRECTION, type Direction, type Flow, TCP_FLAG } from "../../net/flow.ts";
import { ProxyDecoder } from "../../net/proxy_decoder.ts";
import type { BindingOptions, EndReason } from "../engine.ts";
import { refusalReason } from "../refusals.ts";
import { AcceptedSocket } from "./accepted_socket.ts";
import { errorCode } from "./bind_error.ts";
import { acceptedFlow, applyProxyHeader, proxyHeaderFor } from "./proxied_addresses.ts";
import type { ReadSink } from "./socket_reader.ts";
import { type DialOwner, TcpDial } from "./tcp_dial.ts";
import { isReset } from "./tcp_failures.ts";
import { TcpHalf } from "./tcp_half.ts";
import type { TcpHost, Wait } from "./tcp_host.ts";

/** A binding as its connections see it. */
export interface TcpKeeper extends TcpHost {
  /** The director holds this entry for the connection. */
  entryMade(entry: number, connection: TcpConnection): void;
  /** The connection is over; called once. */
  ended(connection: TcpConnection, reason: EndReason): void;
}

/** An accepted client connection and, once there is one, the connection to its real server. */
export class TcpConnection implements DialOwner, ReadSink, Wait {
  readonly flow: Flow;
  readonly startMs: number;
  /** Of the wait for its turn, then for a PROXY header. */
  deadlineMs = Infinity;
  readonly #host: TcpKeeper;
  readonly #options: BindingOptions;
  readonly #client: Socket;
  readonly #input: TcpHalf;
  readonly #output: TcpHalf;
  readonly #dial: TcpDial;
  #server: Socket | undefined;
  #decoder: ProxyDecoder | undefined;
  /** `maxConnections`. */
  #isHeld = false;
  #hasEntry = false;
  #openSockets = 0;
  #isOver = false;

  constructor(host: TcpKeeper, options: BindingOptions, client: Socket, peer: Endpoint, local: Endpoint) {
    this.#host = host;
    this.#options = options;
    this.#client = client;
    this.startMs = host.clock.nowMs();
    this.flow = acceptedFlow(host.service, peer, local);
    this.#input = new TcpHalf(this, DIRECTION.input, this.startMs);
    this.#output = new TcpHalf(this, DIRECTION.output, this.startMs);
    this.#dial = new TcpDial(this, host, options);
    if (options.acceptProxyFrom.some((prefix) => prefix.contains(peer.address))) {
      this.#decoder = new ProxyDecoder();
    }
    this.socketOpened();
    client.on("error", (error) => this.#broken(error, "client-reset", DIRECTION.input));
    client.on("close", () => {
      if (client instanceof AcceptedSocket) client.reader.close();
      this.socketClosed();
    });
  }

  get traffic(): TrafficEntrance {
    return this.#host.traffic;
  }

  get clock(): Clock {
    return this.#host.clock;
  }

  get fromServer(): ReadSink {
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
    this.#client.pause();
    this.#isHeld = true;
    const { queueTimeoutMs } = this.#options;
    if (queueTimeoutMs === undefined) return;
    this.deadlineMs = this.clock.nowMs() + queueTimeoutMs;
    this.#host.waits.add(this);
  }

  /** Reads the client from now on, and finds it a destination. */
  start(): void {
    const client = this.#client;
    this.#isHeld = false;
    this.#host.waits.delete(this);
    this.#input.setSource(client);
    if (client instanceof AcceptedSocket) client.reader.attach(this);
    else client.on("data", (chunk: Uint8Array) => this.receive(chunk) || client.pause());
    client.on("end", () => this.#clientEnded());
    if (client.isPaused()) client.resume();
    if (this.#decoder === undefined) {
      this.#decide();
      return;
    }
    this.deadlineMs = this.clock.nowMs() + LIMITS.proxyHeaderWaitMs;
    this.#host.waits.add(this);
  }

  /** Its turn, or the PROXY header that was promised, did not come in time. */
  deadlineMissed(): void {
    this.end(this.#isHeld ? "queue-timeout" : "proxy-header");
  }

  /** Takes what the client sent. */
  receive(chunk: Uint8Array): boolean {
    if (this.#isOver) return false;
    if (this.#decoder === undefined) return this.#input.receive(chunk);
    return this.#readHeader(this.#decoder, chunk);
  }

  get isHolding(): boolean {
    return this.#input.isHolding;
  }

  #readHeader(decoder: ProxyDecoder, chunk: Uint8Array): boolean {
    const progress = decoder.push(chunk);
    if (progress.state === "broken") this.end("proxy-header");
    if (progress.state !== "header") return !this.#isOver;
    this.#decoder = undefined;
    this.#host.waits.delete(this);
    applyProxyHeader(this.flow, progress.header);
    this.#decide();
    return progress.rest.length === 0 || this.receive(progress.rest);
  }

  #clientEnded(): void {
    if (this.#decoder !== undefined) this.end("proxy-header");
    else this.#input.sourceEnded();
  }

  #decide(): void {
    const { traffic, clock, flow } = this;
    const nowMs = clock.nowMs();
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
    this.#dial.start(verdict);
  }

  connected(server: Socket): void {
    const { flow, traffic, clock } = this;
    const { sendProxy } = this.#options;
    this.#server = server;
    server.on("end", () => this.#output.sourceEnded());
    server.on("error", (error) => this.#broken(error, "server-reset", DIRECTION.output));
    this.#host.events.connectSucceeded(this.destination);
    const nowMs = clock.nowMs();
    traffic.segment(flow, DIRECTION.output, TCP_FLAG.syn | TCP_FLAG.ack, 0, nowMs);
    traffic.segment(flow, DIRECTION.input, TCP_FLAG.ack, 0, nowMs);
    if (sendProxy !== "none") server.write(proxyHeaderFor(flow, sendProxy));
    this.#output.setSource(server);
    this.#output.setTarget(this.#client, this.#input);
    this.#input.setTarget(server, this.#output);
  }

  dialFailed(reason: EndReason): void {
    this.end(reason, DIRECTION.output);
  }

  #broken(error: Error, reason: EndReason, direction: Direction): void {
    this.end(isReset(errorCode(error)) ? reason : "error", direction);
  }

  socketOpened(): void {
    this.#openSockets++;
    this.#host.socketOpened();
  }

  socketClosed(): void {
    this.#host.socketClosed();
    this.#openSockets--;
    if (this.#openSockets === 0) this.#over(this.#input.isDone && this.#output.isDone ? "done" : "error");
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
    this.#client.resetAndDestroy();
    this.#server?.resetAndDestroy();
    if (this.#hasEntry) this.traffic.segment(this.flow, from, TCP_FLAG.rst, 0, this.clock.nowMs());
    this.#over(reason);
  }

  #over(reason: EndReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.waits.delete(this);
    this.#dial.stop()?.resetAndDestroy();
    this.#host.ended(this, reason);
  }
}
