/**
 * How the sessions of a UDP service begin: the rules are asked, the director decides, the destination is looked at.
 *
 * @module
 */
import { ACTION, type Verdict } from "../../director/verdict.ts";
import type { IpAddress } from "../../net/address.ts";
import { DIRECTION, type Payload } from "../../net/flow.ts";
import { errnoName } from "../../sys/errno.ts";
import { addressNumber } from "../../sys/libc.ts";
import type { BindingOptions, EndReason } from "../engine.ts";
import { destinationFailure } from "../portable/udp_reasons.ts";
import { refusalReason } from "../refusals.ts";
import { LOOP, type Target } from "./targets.ts";
import { datagramsIn } from "./udp_batch.ts";
import type { UdpDrops } from "./udp_drops.ts";
import type { SendWitness } from "./udp_forwarding.ts";
import type { UdpLives } from "./udp_lives.ts";
import type { UdpParts } from "./udp_parts.ts";
import { SESSION_KEY, type SessionService, UDP_STAGE, type UdpSession } from "./udp_session.ts";

const NO_DATAGRAM = new Uint8Array(0);

/** The service whose sessions are opened. */
export interface OpeningService extends SessionService, SendWitness {
  readonly service: number;
  readonly address: IpAddress;
  readonly port: number;
  readonly options: BindingOptions;
}

/** Opens sessions; what comes for one that is not open yet is kept. */
export class UdpOpenings implements Payload {
  /** Datagrams of new clients are dropped. */
  refusesNew = false;
  readonly #parts: UdpParts;
  readonly #of: OpeningService;
  readonly #lives: UdpLives;
  readonly #drops: UdpDrops;
  /** The one at hand, for the director's persistence engines. */
  #datagram: Uint8Array = NO_DATAGRAM;

  constructor(parts: UdpParts, of: OpeningService, lives: UdpLives, drops: UdpDrops) {
    this.#parts = parts;
    this.#of = of;
    this.#lives = lives;
    this.#drops = drops;
  }

  payload(): Uint8Array {
    return this.#datagram;
  }

  /**
   * A client without a session.
   *
   * @param slot of the batch at hand, with the datagrams at `address`
   * @returns the session to send them through, which may have to be waited for; undefined when they are dropped
   */
  arrived(
    key: Uint32Array,
    slot: number,
    address: number,
    bytes: number,
    trainBytes: number,
  ): UdpSession | undefined {
    const { batch, records, worker } = this.#parts;
    const { inbox } = batch;
    const datagrams = datagramsIn(bytes, trainBytes);
    const name = inbox.names[slot];
    if (this.refusesNew || name === undefined) {
      this.#drops.add("service-removed", datagrams);
      return undefined;
    }
    const session = records.take();
    session.begin(this.#of, key, name, inbox.interfaceIndex, worker.clock.nowMs);
    this.#fillFlow(session);
    if (!worker.memory.judges) {
      const start = address - inbox.address(0);
      this.#datagram = inbox.bytes.subarray(start, start + bytes);
      return this.#decide(session, bytes, datagrams, datagrams);
    }
    session.stage = UDP_STAGE.judging;
    // In one-packet mode its place depends on the decision.
    if (!this.#of.options.onePacket) records.enter(session);
    worker.questions.judge(session.id, session.startMs, session.flow, trainBytes || bytes);
    return session;
  }

  #fillFlow({ flow }: UdpSession): void {
    const { address, port, service } = this.#of;
    const isAsked = address.isUnspecified && this.#parts.batch.inbox.readAsked(flow.virtual) !== 0;
    if (!isAsked) flow.virtual.set(address.words);
    flow.virtualPort = port;
    flow.service = service;
    flow.payload = this;
  }

  /** Copies datagrams of the batch that cannot be sent yet. */
  keep(session: UdpSession, address: number, bytes: number, trainBytes: number): void {
    const { inbox } = this.#parts.batch;
    const start = address - inbox.address(0);
    const size = trainBytes || bytes;
    let offset = 0;
    do {
      const end = Math.min(offset + size, bytes);
      const datagram = inbox.bytes.subarray(start + offset, start + end);
      if (!this.#parts.kept.tryKeep(session, datagram)) this.#drops.add("no-room", 1);
      offset += size;
    } while (offset < bytes);
  }

  /** The rules have spoken of the first datagram that a session keeps. */
  judged(session: UdpSession, refusal: EndReason | "", admission: number): void {
    const { kept, worker } = this.#parts;
    const { onePacket } = this.#of.options;
    session.admission = admission;
    const first = session.kept[0];
    if (first === undefined || this.refusesNew) {
      this.#lives.end(session, "service-removed", false);
    } else if (refusal !== "") {
      kept.shift(session);
      this.#drops.add(refusal, 1);
      const next = session.kept[0];
      // Its next datagram may open a connection as well.
      if (next !== undefined) worker.questions.judge(session.id, session.startMs, session.flow, next.length);
      else this.#lives.leave(session);
    } else {
      this.#datagram = first;
      const settled = this.#decide(session, first.length, 1, 0);
      // The rules count connections, and a one-packet connection is over at once.
      if (onePacket && session.admission !== 0) worker.questions.left(session.admission);
      if (onePacket) session.admission = 0;
      if (settled?.isOpen) this.#sendKept(settled);
    }
  }

  /**
   * Asks the director about a session's first datagrams.
   *
   * @param atHand how many of them are neither kept nor sent yet
   * @returns the session that they belong to
   */
  #decide(
    session: UdpSession,
    bytes: number,
    datagrams: number,
    atHand: number,
  ): UdpSession | undefined {
    const { records, worker } = this.#parts;
    const { flow, key } = session;
    flow.packets = datagrams;
    const verdict = worker.traffic.segment(flow, DIRECTION.input, 0, bytes, worker.clock.nowMs);
    flow.packets = 1;
    if (verdict.action !== ACTION.forward) {
      return this.#refuse(session, refusalReason(verdict.reason), atHand, false);
    }
    if (!this.#of.options.onePacket) return this.#settle(session, verdict, datagrams, atHand);
    key[SESSION_KEY.destination] = verdict.destination;
    key[SESSION_KEY.port] = verdict.destinationPort;
    const known = records.find(this.#of, key);
    if (known === undefined) return this.#settle(session, verdict, datagrams, atHand);
    known.kept.push(...session.kept.splice(0));
    this.#lives.leave(session);
    return known;
  }

  /** Leads a session, new to the index or not, to the destination that a verdict names. */
  #settle(
    session: UdpSession,
    verdict: Verdict,
    told: number,
    atHand: number,
  ): UdpSession | undefined {
    const { records, worker } = this.#parts;
    const { entry, destination, destinationPort } = verdict;
    session.told = told;
    if (session.stage === UDP_STAGE.over || this.#of.options.onePacket) records.enter(session);
    const target = session.target = worker.targets.of(destination, destinationPort, "udp");
    this.#lives.bindEntry(session, entry);
    // No session after all: its entry must not wait for one.
    if (!this.#lives.enter(session)) return this.#refuse(session, "no-room", atHand, true);
    if (target.loop !== LOOP.unknown) return this.#openTo(session, target, atHand);
    target.waiting.push(session);
    return session;
  }

  #openTo(session: UdpSession, target: Target, atHand: number): UdpSession | undefined {
    if (target.loop === LOOP.yes) {
      this.failed(target.destination, session, "loop");
      return this.#refuse(session, "loop", atHand, false);
    }
    const errno = this.#lives.open(session, target);
    if (errno === 0) return session;
    if (errno < 0) return this.#refuse(session, "no-room", atHand, true);
    const reason = destinationFailure(errnoName(errno)) ?? "connect-failed";
    this.failed(target.destination, session, reason);
    return this.#refuse(session, reason, atHand, false);
  }

  #refuse(session: UdpSession, reason: EndReason, atHand: number, forget: boolean): undefined {
    this.#drops.add(reason, atHand);
    this.#lives.end(session, reason, forget);
  }

  /** Whether a session's destination is one of our own listeners is known. */
  targetKnown(session: UdpSession, target: Target): void {
    if (this.#openTo(session, target, 0) !== undefined) this.#sendKept(session);
  }

  /** The client's entry went elsewhere, or ended and was made anew: the session that its datagrams go through from now on. */
  reopen(left: UdpSession, verdict: Verdict, datagrams: number): UdpSession | undefined {
    const { records, worker } = this.#parts;
    const session = records.take();
    session.follow(left, worker.clock.nowMs);
    if (left.stage !== UDP_STAGE.over) this.#lives.end(left, "destination-removed", false);
    if (session.admission === 0 && worker.memory.judges) {
      worker.questions.introduce(session.id, session.startMs, session.flow, 0);
    }
    return this.#settle(session, verdict, datagrams, datagrams);
  }

  /** Sends what came before there was a socket. */
  #sendKept(session: UdpSession): void {
    const { forwarding, kept, worker } = this.#parts;
    const { options } = this.#of;
    const datagrams = session.kept.slice();
    kept.drop(session);
    const fresh = options.onePacket ? [] : datagrams.slice(session.told);
    session.told = 0;
    if (fresh.length > 0) {
      const bytes = fresh.reduce((sum, it) => sum + it.length, 0);
      session.flow.packets = fresh.length;
      worker.traffic.segment(session.flow, DIRECTION.input, 0, bytes, worker.clock.nowMs);
      session.flow.packets = 1;
    }
    const hasHead = options.sendProxy !== "none";
    for (const it of datagrams) {
      forwarding.add(session, addressNumber(it), it.length, 0, hasHead, this.#of);
    }
    forwarding.send(session, this.#of);
  }

  /** Passive health hears of a destination that cannot be reached; the next datagram may go elsewhere. */
  failed(destination: number, { flow }: UdpSession, reason: EndReason): void {
    const { events, traffic, clock } = this.#parts.worker;
    events.connectFailed(destination, reason);
    const { retries, onePacket } = this.#of.options;
    if (retries > 0 && !onePacket) traffic.reschedule(flow, [destination], clock.nowMs);
  }
}
