/**
 * One proxied TCP connection in a worker, from accept to its end.
 *
 * @module
 */
import { ACTION, DROP_REASON, type Verdict } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { DIRECTION, type Direction, type Flow, TCP_FLAG } from "../../net/flow.ts";
import { EPOLL } from "../../sys/epoll.ts";
import { ERRNO, errnoName } from "../../sys/errno.ts";
import type { EndReason } from "../engine.ts";
import { refusalReason } from "../refusals.ts";
import { proxyHeaderFor } from "../portable/proxied_addresses.ts";
import { connectFailure, isReset, ownShortage } from "../portable/tcp_failures.ts";
import type { EndedFacts } from "./event_record.ts";
import { HEADER, HeaderReader } from "./header_reader.ts";
import type { WorkerOptions } from "./messages.ts";
import type { Unfinished } from "./reactor.ts";
import { dialServer } from "./server_socket.ts";
import { STAGE, type Stage } from "./tcp_stage.ts";
import { LOOP, type Target, type TargetWaiter } from "./targets.ts";
import { type SideOwner, TcpSide } from "./tcp_side.ts";
import { TcpWay, type WayOwner } from "./tcp_way.ts";
import type { ConnectionService, Moving, WorkerParts } from "./worker_parts.ts";

const NOTHING_FAILED: readonly number[] = [];
const NO_ADDRESS = new Uint32Array(4);

/** A record for one connection after another: nothing is allocated for a connection that meets no trouble. */
export class TcpConnection implements SideOwner, WayOwner, TargetWaiter, EndedFacts, Unfinished, Moving {
  /** Number of this record, from 1. */
  readonly id: number;
  readonly flow: Flow;
  /** Handle of the destination, -1 while there is none. */
  destination = -1;
  durationMs = 0;
  readonly #parts: WorkerParts;
  readonly #client: TcpSide;
  readonly #server: TcpSide;
  readonly #input: TcpWay;
  readonly #output: TcpWay;
  #service: ConnectionService<TcpConnection> | undefined;
  #options: WorkerOptions | undefined;
  #stage: Stage = STAGE.over;
  #target: Target | undefined;
  /** Number by which the rules know it, 0 when they do not. */
  #admission = 0;
  /** Time of the accept. */
  startMs = 0;
  #hasEntry = false;
  /** Waits in the worker's list for the next counting of packets. */
  #isListed = false;
  /** Its end of stream is still to be passed on. */
  #endingWay: TcpWay | undefined;
  #failed: readonly number[] = NOTHING_FAILED;
  readonly #header: HeaderReader;

  constructor(id: number, flow: Flow, parts: WorkerParts) {
    this.id = id;
    this.flow = flow;
    this.#parts = parts;
    this.#header = new HeaderReader(parts);
    this.#client = new TcpSide(parts, this);
    this.#server = new TcpSide(parts, this);
    this.#input = new TcpWay(parts, this, DIRECTION.input, this.#client, this.#server);
    this.#output = new TcpWay(parts, this, DIRECTION.output, this.#server, this.#client);
  }

  get isLive(): boolean {
    return this.#stage !== STAGE.over;
  }

  get isFlowing(): boolean {
    return this.#stage === STAGE.flowing;
  }

  get isHeld(): boolean {
    return this.#stage === STAGE.held;
  }

  get service(): ConnectionService<TcpConnection> | undefined {
    return this.#service;
  }

  get destinationFamily(): number {
    return this.#target?.family ?? 0;
  }

  get destinationAddress(): Uint32Array {
    return this.#target?.words ?? NO_ADDRESS;
  }

  get destinationPort(): number {
    return this.#target?.port ?? 0;
  }

  get bytesIn(): number {
    return this.#input.bytes;
  }

  get bytesOut(): number {
    return this.#output.bytes;
  }

  /** Takes over an accepted client, whose addresses stand in `flow` already. Nothing is read until {@linkcode start}. */
  begin(service: ConnectionService<TcpConnection>, options: WorkerOptions, descriptor: number): void {
    const { nowMs } = this.#parts.clock;
    this.#service = service;
    this.#options = options;
    this.startMs = nowMs;
    this.destination = -1;
    this.#target = undefined;
    this.#client.begin(descriptor);
    this.#input.begin(nowMs);
    this.#output.begin(nowMs);
    this.#stage = STAGE.held;
  }

  /** Waits for its turn, not for ever unless nothing is said. */
  wait(atMostMs: number | undefined): void {
    if (atMostMs !== undefined) this.#waitAtMost(atMostMs);
  }

  /** Reads the client from now on, and finds it a destination. @param awaitsHeader it has to send a PROXY header */
  start(awaitsHeader: boolean): void {
    this.#parts.timers.stop(this.id);
    this.#client.watch(false);
    if (!awaitsHeader) {
      this.#decide();
      return;
    }
    this.#stage = STAGE.header;
    this.#header.begin();
    this.#waitAtMost(LIMITS.proxyHeaderWaitMs);
  }

  #waitAtMost(ms: number): void {
    const { timers, clock } = this.#parts;
    timers.set(this.id, clock.nowMs + ms, clock.nowMs);
  }

  /** What was waited for did not come. */
  deadlineMissed(nowMs: number): void {
    if (this.#stage === STAGE.held) this.end("queue-timeout");
    else if (this.#stage === STAGE.header) this.end("proxy-header");
    else if (this.#stage !== STAGE.flowing) this.#attemptFailed("connect-timeout");
    else {
      const idleMs = this.#options?.idleTimeoutMs ?? Infinity;
      const deadlineMs = Math.max(this.#input.lastMs, this.#output.lastMs) + idleMs;
      if (deadlineMs <= nowMs) this.end("idle-timeout");
      else this.#parts.timers.set(this.id, deadlineMs, nowMs);
    }
  }

  sideReady(side: TcpSide, happened: number): void {
    if ((happened & EPOLL.error) !== 0) return this.#errorSeen(side);
    if (this.#stage === STAGE.flowing) {
      const isClient = side === this.#client;
      const from = isClient ? this.#input : this.#output;
      const to = isClient ? this.#output : this.#input;
      if (side.isReadable && !from.isDone) from.pump();
      if ((happened & EPOLL.out) !== 0 && to.isWaiting && this.#stage === STAGE.flowing) to.pump();
    } else if (this.#stage === STAGE.connecting) {
      if (side === this.#server && side.isWritable) this.#connected();
    } else if (this.#stage === STAGE.header) this.#readHeader();
  }

  #errorSeen(side: TcpSide): void {
    const errno = this.#parts.sockets.takeError(side.descriptor);
    if (side !== this.#server || this.#stage !== STAGE.connecting) {
      return this.sideBroke(side, errno || ERRNO.ECONNRESET);
    }
    if (!isReset(errnoName(errno))) return this.#connectFailed(errno);
    // It answered, and broke off before this thread looked: a refusal has an error of its own.
    side.errno = errno;
    this.#connected();
    if (this.isFlowing) this.sideBroke(side, errno);
  }

  sideBroke(side: TcpSide, errno: number): void {
    const isClient = side === this.#client;
    const from = isClient ? this.#input : this.#output;
    if (side.errno === 0) {
      // Whoever saw the error has taken it: a read would find the end of the stream.
      side.errno = errno;
      side.isReadable = true;
      // What came before a reset is still passed on.
      if (this.isFlowing && !from.isDone) from.pump();
    }
    const reason = !isReset(errnoName(errno)) ? "error" : isClient ? "client-reset" : "server-reset";
    this.end(reason, from.direction);
  }

  #readHeader(): void {
    switch (this.#header.read(this.#client, this.flow)) {
      case HEADER.broken:
        return this.end("proxy-header");
      case HEADER.clientBroke:
        return this.sideBroke(this.#client, this.#header.errno);
      case HEADER.read:
        this.#parts.timers.stop(this.id);
        return this.#decide();
    }
  }

  #decide(): void {
    if (!this.#parts.memory.judges) return this.#open();
    this.#stage = STAGE.judging;
    this.#parts.questions.judge(this.id, this.startMs, this.flow, 0);
  }

  /** The rules have spoken. */
  judged(startMs: number, refusal: EndReason | "", mark: number, admission: number): void {
    if (this.#stage !== STAGE.judging || startMs !== this.startMs) {
      if (admission !== 0) this.#parts.questions.left(admission);
      return;
    }
    this.#admission = admission;
    this.flow.mark = mark;
    return refusal === "" ? this.#open() : this.end(refusal);
  }

  /** Lets the rules count it, once it is scheduled; before that they are still to be asked, or were not there to be. */
  introduce(): void {
    if (this.#hasEntry) this.#parts.questions.introduce(this.id, this.startMs, this.flow, this.#admission);
  }

  introduced(startMs: number, admission: number): void {
    if (this.#hasEntry && this.#admission === 0 && startMs === this.startMs) this.#admission = admission;
    else this.#parts.questions.left(admission);
  }

  #open(): void {
    const { traffic, clock } = this.#parts;
    const { flow } = this;
    let verdict = traffic.segment(flow, DIRECTION.input, TCP_FLAG.syn, 0, clock.nowMs);
    if (verdict.reason === DROP_REASON.destinationRemoved) {
      // The entry of an earlier connection from this client port, whose destination left: its FINs were dropped as the
      // kernel drops them, so it never reached TIME_WAIT. That connection is over, or this one could not be here.
      traffic.forget(flow, clock.nowMs);
      verdict = traffic.segment(flow, DIRECTION.input, TCP_FLAG.syn, 0, clock.nowMs);
    }
    if (verdict.action !== ACTION.forward) {
      this.end(refusalReason(verdict.reason));
      return;
    }
    this.#hasEntry = true;
    this.#parts.entries.set(verdict.entry, this.id);
    this.#dial(verdict);
  }

  #dial(verdict: Verdict): void {
    this.destination = verdict.destination;
    const target = this.#target = this.#parts.targets.of(verdict.destination, verdict.destinationPort, "tcp");
    this.#waitAtMost(this.#options?.connectTimeoutMs ?? 0);
    this.#stage = STAGE.asking;
    if (target.loop === LOOP.unknown) target.waiting.push(this);
    else this.targetKnown(target);
  }

  targetKnown(target: Target): void {
    // It may have ended meanwhile, and its record serve another connection.
    if (this.#stage !== STAGE.asking || target !== this.#target || this.#options === undefined) return;
    if (target.loop === LOOP.yes) return this.#attemptFailed("loop");
    const { isBusy } = this.#parts.reactor;
    const descriptor = dialServer(this.#parts.sockets, target, this.#options, this.flow, isBusy);
    if (descriptor < 0) return this.#connectFailed(-descriptor);
    this.#server.begin(descriptor, isBusy);
    this.#stage = STAGE.connecting;
    this.#server.watch(true);
  }

  #connected(): void {
    const { traffic, clock, events, timers } = this.#parts;
    this.#stage = STAGE.flowing;
    timers.stop(this.id);
    events.connectSucceeded(this.destination);
    traffic.segment(this.flow, DIRECTION.output, TCP_FLAG.syn | TCP_FLAG.ack, 0, clock.nowMs);
    traffic.segment(this.flow, DIRECTION.input, TCP_FLAG.ack, 0, clock.nowMs);
    const { sendProxy = "none", idleTimeoutMs } = this.#options ?? {};
    if (idleTimeoutMs !== undefined) this.#waitAtMost(idleTimeoutMs);
    if (sendProxy !== "none") this.#input.keep(proxyHeaderFor(this.flow, sendProxy));
    if (this.#header.early !== undefined) this.#input.keepPayload(this.#header.early);
    this.#header.end();
    this.#input.pump();
    if (this.isFlowing) this.#server.endHandshake();
    if (this.isFlowing && this.#server.isReadable) this.#output.pump();
  }

  #connectFailed(errno: number): void {
    const code = errnoName(errno);
    const shortage = ownShortage(code);
    if (shortage === undefined) {
      this.#attemptFailed(connectFailure(code));
      return;
    }
    this.#service?.shortage(`${code}: ${shortage}`);
    this.end("error");
  }

  /** The chosen destination does not answer: another one, as often as the service's options allow. */
  #attemptFailed(reason: EndReason): void {
    const { traffic, clock, events, timers } = this.#parts;
    timers.stop(this.id);
    this.#server.close();
    events.connectFailed(this.destination, reason);
    this.#failed = [...this.#failed, this.destination];
    if (this.#failed.length <= (this.#options?.retries ?? 0)) {
      const verdict = traffic.reschedule(this.flow, this.#failed, clock.nowMs);
      if (verdict.action === ACTION.forward) {
        this.#dial(verdict);
        return;
      }
    }
    this.end(reason, DIRECTION.output);
  }

  bytesTold(): void {
    if (this.#isListed) return;
    this.#isListed = true;
    this.#parts.moving.push(this);
  }

  tellPackets(): void {
    this.#isListed = false;
    if (this.isFlowing) this.#countPackets();
  }

  /** As IPVS counts: what came to the director, from the client and from the real server. */
  #countPackets(): void {
    this.#parts.traffic.countPackets(this.flow, this.#client.takeSegments(), this.#server.takeSegments());
  }

  wayDone(way: TcpWay): void {
    const opposite = way === this.#input ? this.#output : this.#input;
    if (!opposite.isDone) {
      if (way.isHeldBack) return way.target.endWriting();
      // At the end of the turn: a client that has its answer often closes by itself meanwhile, and keeps the TIME_WAIT.
      this.#endingWay = way;
      this.#parts.reactor.again(this);
      return;
    }
    this.#countPackets();
    // Both have ended: closing sends the second end of stream, and saves a shutdown.
    this.#client.close();
    this.#server.close();
    this.#over("done");
  }

  goOn(): void {
    const way = this.#endingWay;
    this.#endingWay = undefined;
    if (way !== undefined && this.isFlowing) way.target.endWriting();
  }

  /**
   * Ends the connection now: both sides see a reset.
   *
   * @param from the side that broke it off, for the director's state; the client's when lvsd itself ends it
   */
  end(reason: EndReason, from: Direction = DIRECTION.input): void {
    if (!this.isLive) return;
    if (this.#hasEntry) this.#countPackets();
    this.#client.reset();
    this.#server.reset();
    if (this.#hasEntry) {
      const { traffic, clock } = this.#parts;
      this.#input.tellCount();
      this.#output.tellCount();
      traffic.segment(this.flow, from, TCP_FLAG.rst, 0, clock.nowMs);
    }
    this.#over(reason);
  }

  /** The director has forgotten this connection. */
  entryExpired(): void {
    this.#hasEntry = false;
    this.end("idle-timeout");
  }

  #over(reason: EndReason): void {
    const { timers, clock } = this.#parts;
    this.#endingWay = undefined;
    const wasHeld = this.#stage === STAGE.held;
    this.#stage = STAGE.over;
    timers.stop(this.id);
    this.#input.end();
    this.#output.end();
    this.durationMs = clock.nowMs - this.startMs;
    if (this.#hasEntry) this.#parts.entries.clear(this.flow.entry, this.id);
    if (this.#admission !== 0) this.#parts.questions.left(this.#admission);
    this.#admission = 0;
    this.#hasEntry = false;
    this.#failed = NOTHING_FAILED;
    this.#header.end();
    this.#service?.ended(this, reason, wasHeld);
    this.#parts.leave(this.id);
  }
}
