/**
 * A UDP virtual service in one worker: one socket towards the clients, a connected one for each session towards its server.
 *
 * A client always comes to the same worker: each has a listener of its own (SO_REUSEPORT), among which the kernel chooses by a
 * hash of both addresses and ports. What of IPVS a socket cannot do is told in `portable/udp_binding.ts`.
 *
 * @module
 */
import { ACTION } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import { DIRECTION, NO_ENTRY } from "../../net/flow.ts";
import { EPOLL } from "../../sys/epoll.ts";
import { ERRNO, errnoName } from "../../sys/errno.ts";
import type { EndReason } from "../engine.ts";
import { destinationFailure } from "../portable/udp_reasons.ts";
import { refusalReason } from "../refusals.ts";
import type { OpenCommand, SentOptions, WorkerOptions } from "./messages.ts";
import type { Watched } from "./reactor.ts";
import type { Target } from "./targets.ts";
import { receivedOptions } from "./tcp_service.ts";
import { datagramsIn } from "./udp_batch.ts";
import { UdpDrops } from "./udp_drops.ts";
import { UdpLives } from "./udp_lives.ts";
import { type OpeningService, UdpOpenings } from "./udp_openings.ts";
import type { UdpParts } from "./udp_parts.ts";
import type { ReplySource } from "./udp_replies.ts";
import { SESSION_KEY, UDP_STAGE, type UdpSession } from "./udp_session.ts";
import type { Paused } from "./worker_parts.ts";

/** Reads of one turn: replies get their turn before another burst is taken in. */
const READS_PER_TURN = 4;
const NOTHING_WAITS = -ERRNO.EAGAIN;

/** Receives, finds sessions, forwards both ways. */
export class UdpService implements Watched, OpeningService, ReplySource, Paused {
  readonly slot: number;
  readonly service: number;
  readonly listener: number;
  readonly address: IpAddress;
  readonly port: number;
  options: WorkerOptions;
  readonly #parts: UdpParts;
  readonly #lives: UdpLives;
  readonly #openings: UdpOpenings;
  readonly #drops: UdpDrops;
  readonly #key = new Uint32Array(SESSION_KEY.words);
  #tag: number;
  /** Nothing is received until this time. */
  #pausedUntilMs = 0;

  constructor(parts: UdpParts, command: OpenCommand) {
    const { worker, reactor, events } = parts.worker;
    this.#parts = parts;
    this.slot = command.slot;
    this.service = command.service;
    this.listener = command.descriptors[worker - 1] ?? -1;
    this.address = IpAddress.parse(command.address);
    this.port = command.port;
    this.options = receivedOptions(command.options);
    this.#drops = new UdpDrops(this.service, events, reactor);
    this.#lives = new UdpLives(parts, command, this.#drops, () => this.#sessionsEnded());
    this.#lives.update(this.options);
    this.#openings = new UdpOpenings(parts, this, this.#lives, this.#drops);
    this.#tag = this.#watch();
  }

  #watch(): number {
    return this.#parts.worker.reactor.watch(this.listener, EPOLL.in, this);
  }

  get live(): number {
    return this.#lives.order.size;
  }

  /** Whether time alone may end a session that the director knows nothing of. */
  get hasDeadlines(): boolean {
    return this.live > 0 && this.#lives.hasIdleTimeout;
  }

  /** Holds for live sessions too, but for what their first datagram decided. */
  update(options: SentOptions): void {
    this.options = receivedOptions(options);
    this.#lives.update(this.options);
  }

  /** New clients are dropped from now on; as both ways of live sessions lead through the listener, it stays. */
  close(): void {
    this.#openings.refusesNew = true;
  }

  #sessionsEnded(): void {
    if (this.#openings.refusesNew) this.#parts.emptied(this.slot);
  }

  /** Lets go of the listener, which is about to be closed. */
  release(): void {
    this.#parts.replies.flush();
    this.endAll("drained");
    this.#drops.flush();
    if (this.#tag !== 0) this.#parts.worker.reactor.unwatch(this.listener, this.#tag);
    this.#tag = 0;
  }

  tick(nowMs: number): void {
    this.#lives.endIdle(nowMs);
  }

  /** Ends all sessions, or those to one destination. */
  endAll(reason: EndReason, destination?: number): void {
    this.#lives.endAll(reason, destination);
  }

  ready(): void {
    // What was told before these datagrams came holds for them.
    this.#parts.readMail();
    const { inbox } = this.#parts.batch;
    for (let i = 0; i < READS_PER_TURN && this.#tag !== 0; i++) {
      const count = inbox.receive(this.listener, 0, inbox.slots);
      if (count === NOTHING_WAITS) return;
      if (count < 0) return this.#pause(-count);
      this.#take(count);
      if (count < inbox.slots) return;
    }
  }

  /** An error of the listener is about one datagram; should it last, the pause keeps the processor free. */
  #pause(errno: number): void {
    const { worker } = this.#parts;
    worker.trouble(this.service, `receiving failed: ${errnoName(errno)}`);
    worker.reactor.unwatch(this.listener, this.#tag);
    this.#tag = 0;
    this.#pausedUntilMs = performance.now() + LIMITS.acceptBackOffMs;
    worker.pause(this);
  }

  resume(): boolean {
    if (performance.now() < this.#pausedUntilMs) return false;
    this.#tag = this.#watch();
    return true;
  }

  /** Sorts what came by session, then sends what each session has in one go. */
  #take(count: number): void {
    const { batch, records } = this.#parts;
    const { inbox } = batch;
    batch.clear();
    this.#key[SESSION_KEY.destination] = 0;
    this.#key[SESSION_KEY.port] = 0;
    let session: UdpSession | undefined;
    for (let slot = 0; slot < count; slot++) {
      const isSame = inbox.readSource(slot, this.#key);
      const bytes = inbox.length(slot);
      const trainBytes = inbox.trainBytes(slot);
      if (this.options.onePacket) this.#takeSingly(slot, bytes, trainBytes || bytes);
      else {
        if (!isSame || session === undefined || session.stage === UDP_STAGE.over) {
          session = records.find(this, this.#key);
        }
        session = this.#put(session, slot, inbox.address(slot), bytes, trainBytes);
      }
    }
    this.#forwardAll();
  }

  /** One-packet mode: each datagram of a train is a decision of its own. */
  #takeSingly(slot: number, bytes: number, size: number): void {
    const address = this.#parts.batch.inbox.address(slot);
    let offset = 0;
    do {
      this.#put(undefined, slot, address + offset, Math.min(size, bytes - offset), 0);
      offset += size;
    } while (offset < bytes);
  }

  /** Puts datagrams to those that their session has already. @param known their session, if there is one */
  #put(
    known: UdpSession | undefined,
    slot: number,
    address: number,
    bytes: number,
    trainBytes: number,
  ): UdpSession | undefined {
    // Those that give way have sent what they have by then.
    if (known === undefined && this.#lives.isFull) this.#forwardAll();
    const session = known ?? this.#openings.arrived(this.#key, slot, address, bytes, trainBytes);
    if (session === undefined) return undefined;
    if (!session.isOpen) {
      this.#openings.keep(session, address, bytes, trainBytes);
      return session;
    }
    this.#parts.batch.add(session, address, bytes, trainBytes);
    this.#lives.touch(session);
    if (known === undefined) return session;
    session.uncounted += datagramsIn(bytes, trainBytes);
    session.uncountedBytes += bytes;
    return session;
  }

  #forwardAll(): void {
    const { sessions } = this.#parts.batch;
    for (const it of sessions) this.#forward(it);
    sessions.length = 0;
  }

  /** Sends what a session has of the batch at hand. */
  #forward(session: UdpSession): void {
    const { batch, forwarding } = this.#parts;
    const first = session.firstChunk;
    session.firstChunk = -1;
    const to = session.uncounted > 0 ? this.#count(session) : session;
    if (to === undefined) return;
    const hasHead = this.options.sendProxy !== "none";
    for (let chunk = first; chunk >= 0; chunk = batch.next(chunk)) {
      const address = batch.address(chunk);
      const bytes = batch.bytes(chunk);
      const trainBytes = batch.trainBytes(chunk);
      if (to.isOpen) forwarding.add(to, address, bytes, trainBytes, hasHead, this);
      else if (to.isEntered) this.#openings.keep(to, address, bytes, trainBytes);
    }
    if (to.isOpen) forwarding.send(to, this);
  }

  /** Tells the director of datagrams of a known session. @returns the session that they go through */
  #count(session: UdpSession): UdpSession | undefined {
    const { traffic, clock } = this.#parts.worker;
    const { flow, uncounted, uncountedBytes, target } = session;
    session.uncounted = 0;
    session.uncountedBytes = 0;
    flow.packets = uncounted;
    const verdict = traffic.segment(flow, DIRECTION.input, 0, uncountedBytes, clock.nowMs);
    flow.packets = 1;
    if (verdict.action !== ACTION.forward) {
      this.#drops.add(refusalReason(verdict.reason), uncounted);
      return undefined;
    }
    const isSame = target?.destination === verdict.destination && target.port === verdict.destinationPort;
    if (!session.isOpen || !isSame) return this.#openings.reopen(session, verdict, uncounted);
    this.#lives.bindEntry(session, verdict.entry);
    return session;
  }

  sendFailed(session: UdpSession, errno: number, datagrams: number): void {
    const reason = destinationFailure(errnoName(errno));
    if (reason === undefined) return this.#drops.add("error", datagrams);
    const { destination } = session;
    this.#lives.end(session, reason, false);
    this.#openings.failed(destination, session, reason);
  }

  sessionReady(session: UdpSession): void {
    const { replies, worker } = this.#parts;
    if (!session.isOpen) return;
    const count = replies.receive(session);
    if (count === NOTHING_WAITS) return;
    if (count < 0) return this.sendFailed(session, -count, 1);
    if (session.entry !== NO_ENTRY && !this.#countReplies(session)) return;
    this.#lives.touch(session);
    if (!session.isAnswered) worker.events.connectSucceeded(session.destination);
    session.isAnswered = true;
    session.bytesOut += replies.bytes;
    replies.queue(session, this, count);
  }

  /** Tells the director of what just came from a destination. @returns whether it may go on */
  #countReplies(session: UdpSession): boolean {
    const { replies: { datagrams, bytes }, worker: { traffic, clock } } = this.#parts;
    const { flow } = session;
    flow.packets = datagrams;
    const { action, reason } = traffic.segment(flow, DIRECTION.output, 0, bytes, clock.nowMs);
    flow.packets = 1;
    if (action === ACTION.forward) return true;
    // Found out of time by this very datagram, the entry has taken the session along.
    this.#drops.add(session.isOpen ? refusalReason(reason) : "idle-timeout", datagrams);
    return false;
  }

  /** The client's network is gone, a firewall of this host forbids it, or the send queue is full: UDP loses it. */
  replyLost(session: UdpSession, bytes: number, datagrams: number): void {
    session.bytesOut -= bytes;
    this.#drops.add("error", datagrams);
  }

  targetKnown(session: UdpSession, target: Target): void {
    this.#openings.targetKnown(session, target);
  }

  judged(session: UdpSession, refusal: EndReason | "", admission: number): void {
    this.#openings.judged(session, refusal, admission);
  }

  entryExpired(session: UdpSession): void {
    this.#lives.end(session, "idle-timeout", false);
  }
}
