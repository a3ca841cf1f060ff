/**
 * One proxied TCP connection, from accept to its end.
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import { ACTION, DROP_REASON, type TrafficEntrance, type Verdict } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { DIRECTION, type Direction, type Flow, TCP_FLAG } from "../../net/flow.ts";
import { ProxyDecoder } from "../../net/proxy_decoder.ts";
import type { BindingOptions, EndReason, EngineEvents } from "../engine.ts";
import { AcceptedSocket } from "./accepted_socket.ts";
import { errorCode } from "./bind_error.ts";
import type { Deadlines } from "./deadlines.ts";
import { acceptedFlow, applyProxyHeader, proxyHeaderFor } from "./proxied_addresses.ts";
import type { BufferPool } from "./read_buffers.ts";
import { type ReadSink, SocketReader } from "./socket_reader.ts";
import { connectFailure, isReset, ownShortage } from "./tcp_failures.ts";
import { type HalfOwner, TcpHalf } from "./tcp_half.ts";

/** What a connection needs of its binding. */
export interface TcpHost {
  readonly service: number;
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
  /** Bounded waits: for a PROXY header, for a connect. */
  readonly waits: Deadlines<TcpConnection>;
  /** What sockets to real servers are read into. */
  readonly pool: BufferPool;
  /** Whether traffic to this address would come back to this program. */
  isOwnListener(host: string, port: number): boolean;
  /** One more socket, one less: stopping waits for all. */
  socketOpened(): void;
  socketClosed(): void;
  /** The director holds this entry for the connection. */
  entryMade(entry: number, connection: TcpConnection): void;
  /** This host lacks something (`EMFILE` and the like). */
  shortage(code: string, message: string): void;
  /** The connection is over; called once. */
  ended(connection: TcpConnection, reason: EndReason): void;
}

/** An accepted client connection and, once there is one, the connection to its real server. */
export class TcpConnection implements HalfOwner, ReadSink {
  readonly flow: Flow;
  readonly startMs: number;
  deadlineMs = Infinity;
  /** Handle of the destination, -1 while there is none. */
  destination = -1;
  destinationText = "";
  readonly #host: TcpHost;
  readonly #options: BindingOptions;
  readonly #client: Socket;
  readonly #input: TcpHalf;
  readonly #output: TcpHalf;
  #server: Socket | undefined;
  #decoder: ProxyDecoder | undefined;
  #isConnecting = false;
  #hasEntry = false;
  #failed: number[] = [];
  #openSockets: number;
  #isOver = false;

  constructor(host: TcpHost, options: BindingOptions, client: Socket, peer: Endpoint, local: Endpoint) {
    this.#host = host;
    this.#options = options;
    this.#client = client;
    this.startMs = host.clock.nowMs();
    this.flow = acceptedFlow(host.service, peer, local);
    this.#input = new TcpHalf(this, DIRECTION.input, this.startMs);
    this.#output = new TcpHalf(this, DIRECTION.output, this.startMs);
    if (options.acceptProxyFrom.some((prefix) => prefix.contains(peer.address))) {
      this.#decoder = new ProxyDecoder();
    }
    this.#openSockets = 1;
    host.socketOpened();
    client.on("error", (error) => this.#broken(error, "client-reset", DIRECTION.input));
    client.on("close", () => {
      if (client instanceof AcceptedSocket) client.reader.close();
      this.#socketClosed();
    });
  }

  get traffic(): TrafficEntrance {
    return this.#host.traffic;
  }

  get clock(): Clock {
    return this.#host.clock;
  }

  /** Payload bytes from the client that were passed on. */
  get bytesIn(): number {
    return this.#input.bytes;
  }

  /** Payload bytes to the client. */
  get bytesOut(): number {
    return this.#output.bytes;
  }

  /** Time of the last payload, or of the accept. */
  get lastActiveMs(): number {
    return Math.max(this.#input.lastMs, this.#output.lastMs);
  }

  get clientText(): string {
    const { family, client, clientPort } = this.flow;
    return formatEndpoint({ address: new IpAddress(family, client), port: clientPort });
  }

  /** When quiet for too long, unless bytes come before. */
  get idleDeadlineMs(): number {
    return this.lastActiveMs + (this.#options.idleTimeoutMs ?? Infinity);
  }

  /** Does not read the client until {@linkcode start}. */
  hold(): void {
    this.#client.pause();
  }

  /** Reads the client from now on, and finds it a destination. */
  start(): void {
    const client = this.#client;
    this.#input.setSource(client);
    if (client instanceof AcceptedSocket) client.reader.attach(this);
    else client.on("data", (chunk: Uint8Array) => this.receive(chunk) || client.pause());
    client.on("end", () => this.#clientEnded());
    if (client.isPaused()) client.resume();
    if (this.#decoder === undefined) this.#decide();
    else this.#waitAtMost(LIMITS.proxyHeaderWaitMs);
  }

  #waitAtMost(ms: number): void {
    this.deadlineMs = this.clock.nowMs() + ms;
    this.#host.waits.add(this);
  }

  /** What was waited for did not come. */
  deadlineMissed(): void {
    if (this.#isConnecting) this.#attemptFailed("connect-timeout");
    else this.end("proxy-header");
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
    if (verdict.reason === DROP_REASON.destinationDeleted) {
      // The entry of an earlier connection from this client port, whose destination left: its FINs were dropped as the
      // kernel drops them, so it never reached TIME_WAIT. That connection is over, or this one could not be here.
      traffic.forget(flow, nowMs);
      verdict = traffic.segment(flow, DIRECTION.input, TCP_FLAG.syn, 0, nowMs);
    }
    if (verdict.action !== ACTION.forward) {
      this.end(verdict.reason === DROP_REASON.tableFull ? "table-full" : "no-destination");
      return;
    }
    this.#hasEntry = true;
    this.#host.entryMade(verdict.entry, this);
    this.#dial(verdict);
  }

  #dial(verdict: Verdict): void {
    const { destination, destinationPort: port } = verdict;
    const { host, family } = this.traffic.destinationAddress(destination);
    this.destination = destination;
    this.destinationText = family === 6 ? `[${host}]:${port}` : `${host}:${port}`;
    if (this.#host.isOwnListener(host, port)) {
      this.#attemptFailed("loop");
      return;
    }
    this.#isConnecting = true;
    this.#openSockets++;
    this.#host.socketOpened();
    const reader = new SocketReader(this.#host.pool);
    reader.attach(this.#output);
    const { onread } = reader;
    const server = connect({ host, port, family, allowHalfOpen: true, noDelay: true, onread });
    this.#server = server;
    server.on("connect", () => this.#connected(server));
    server.on("end", () => this.#output.sourceEnded());
    server.on("error", (error) => this.#serverFailed(server, error));
    server.on("close", () => {
      reader.close();
      this.#socketClosed();
    });
    this.#waitAtMost(this.#options.connectTimeoutMs);
  }

  #connected(server: Socket): void {
    if (this.#isOver || server !== this.#server) return;
    this.#isConnecting = false;
    this.#host.waits.delete(this);
    this.#host.events.connectSucceeded(this.destination);
    const nowMs = this.clock.nowMs();
    this.traffic.segment(this.flow, DIRECTION.output, TCP_FLAG.syn | TCP_FLAG.ack, 0, nowMs);
    this.traffic.segment(this.flow, DIRECTION.input, TCP_FLAG.ack, 0, nowMs);
    if (this.#options.sendProxy !== "none") server.write(proxyHeaderFor(this.flow, this.#options.sendProxy));
    this.#output.setSource(server);
    this.#output.setTarget(this.#client, this.#input);
    this.#input.setTarget(server, this.#output);
  }

  #serverFailed(server: Socket, error: Error): void {
    if (this.#isOver || server !== this.#server) return;
    if (!this.#isConnecting) {
      this.#broken(error, "server-reset", DIRECTION.output);
      return;
    }
    const code = errorCode(error);
    const shortage = ownShortage(code);
    if (shortage === undefined) {
      this.#attemptFailed(connectFailure(code));
      return;
    }
    this.#host.shortage(code, shortage);
    this.end("error");
  }

  /** The chosen destination does not answer: another one, as often as the service's options allow. */
  #attemptFailed(reason: EndReason): void {
    this.#isConnecting = false;
    this.#host.waits.delete(this);
    const server = this.#server;
    this.#server = undefined;
    server?.destroy();
    this.#host.events.connectFailed(this.destination, reason);
    this.#failed.push(this.destination);
    if (this.#failed.length <= this.#options.retries) {
      const verdict = this.traffic.reschedule(this.flow, this.#failed, this.clock.nowMs());
      if (verdict.action === ACTION.forward) {
        this.#dial(verdict);
        return;
      }
    }
    this.end(reason, DIRECTION.output);
  }

  #broken(error: Error, reason: EndReason, direction: Direction): void {
    this.end(isReset(errorCode(error)) ? reason : "error", direction);
  }

  #socketClosed(): void {
    this.#host.socketClosed();
    this.#openSockets--;
    if (this.#openSockets === 0) this.#over(this.#input.isDone && this.#output.isDone ? "done" : "error");
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

  /** The director has forgotten this connection. */
  entryExpired(): void {
    this.#hasEntry = false;
    this.end("idle-timeout");
  }

  #over(reason: EndReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.waits.delete(this);
    this.#host.ended(this, reason);
  }
}
