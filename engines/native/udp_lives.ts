/**
 * The lives of a UDP service's sessions in a worker: opened within the limits, ended for a reason, reported.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import { NO_ENTRY } from "../../net/flow.ts";
import { EPOLL } from "../../sys/epoll.ts";
import { errnoName } from "../../sys/errno.ts";
import { LEVEL, SOCKET, UDP_OPTION } from "../../sys/socket_numbers.ts";
import type { BindingOptions, EndReason } from "../engine.ts";
import { ownShortage } from "../portable/tcp_failures.ts";
import type { OpenCommand } from "./messages.ts";
import type { Target } from "./targets.ts";
import type { UdpDrops } from "./udp_drops.ts";
import { UdpOrder } from "./udp_order.ts";
import { UDP_STAGE, type UdpSession } from "./udp_session.ts";
import type { UdpParts } from "./udp_parts.ts";

/** Opens and ends; keeps the cap. */
export class UdpLives {
  readonly order = new UdpOrder();
  readonly #parts: UdpParts;
  readonly #slot: number;
  readonly #service: number;
  readonly #drops: UdpDrops;
  readonly #emptied: () => void;
  #mostSessions = 0;
  #idleMs = Infinity;

  /** @param emptied called each time that the last session has ended */
  constructor(parts: UdpParts, { slot, service }: OpenCommand, drops: UdpDrops, emptied: () => void) {
    this.#parts = parts;
    this.#slot = slot;
    this.#service = service;
    this.#drops = drops;
    this.#emptied = emptied;
  }

  update(options: BindingOptions): void {
    const { memory, worker } = this.#parts.worker;
    this.#mostSessions = shareOf(options.maxSessions, worker, memory.workers);
    this.#idleMs = options.idleTimeoutMs ?? (options.onePacket ? LIMITS.onePacketReplyMs : Infinity);
    this.#evictDownTo(this.#mostSessions);
  }

  /** Whether one more session takes the place of another. */
  get isFull(): boolean {
    return this.order.size >= this.#mostSessions;
  }

  /**
   * Takes in a session that the director has forwarded; the least recently used ones give way.
   *
   * @returns whether there is room for it
   */
  enter(session: UdpSession): boolean {
    const { worker, memory } = this.#parts.worker;
    this.#evictDownTo(this.#mostSessions - 1);
    if (!memory.tryReserveSession(worker)) {
      this.#evictDownTo(this.order.size - 1);
      if (!memory.tryReserveSession(worker)) return false;
    }
    session.stage = UDP_STAGE.asking;
    this.order.add(session);
    memory.addLive(worker, this.#slot, 1);
    memory.tryRun(this.#slot, Infinity);
    return true;
  }

  /** Gives a session its socket. @returns 0, the errno of the connect, or -1 when this host had no socket for it */
  open(session: UdpSession, target: Target): number {
    const { worker, memory, sockets, reactor } = this.#parts.worker;
    const descriptor = sockets.open(target.family, SOCKET.datagram);
    if (descriptor < 0) return this.#shortage(-descriptor);
    // Where the kernel has it; without it each datagram comes by itself.
    sockets.setOption(descriptor, LEVEL.udp, UDP_OPTION.receiveTrains, 1);
    const connected = sockets.libc.connect(descriptor, target.nameAddress, target.name.length);
    if (connected < 0) {
      sockets.close(descriptor);
      return ownShortage(errnoName(-connected)) === undefined ? -connected : this.#shortage(-connected);
    }
    memory.opened(worker, descriptor);
    session.descriptor = descriptor;
    session.tag = reactor.watch(descriptor, EPOLL.in, session);
    session.stage = UDP_STAGE.open;
    return 0;
  }

  #shortage(errno: number): -1 {
    const code = errnoName(errno);
    this.#parts.worker.trouble(this.#service, `no socket for a new client: ${ownShortage(code) ?? code}`);
    return -1;
  }

  #evictDownTo(sessions: number): void {
    while (this.order.size > Math.max(0, sessions)) {
      const { oldest } = this.order;
      if (oldest === undefined) return;
      this.end(oldest, "evicted", true);
    }
  }

  /** The session was used just now. */
  touch(session: UdpSession): void {
    this.order.touch(session, this.#parts.worker.clock.nowMs);
  }

  bindEntry(session: UdpSession, entry: number): void {
    if (session.entry === entry) return;
    const { entries } = this.#parts.worker;
    if (session.entry !== NO_ENTRY) entries.clear(session.entry, session.id);
    session.entry = entry;
    if (entry !== NO_ENTRY) entries.set(entry, session.id);
  }

  /**
   * Ends a session, or what was to become one: then its datagrams are dropped for this reason.
   *
   * @param forget whether its entry is taken out of the director's table
   */
  end(session: UdpSession, reason: EndReason, forget: boolean): void {
    const { traffic, clock, events } = this.#parts.worker;
    const { isOpen, isEntered } = session;
    session.stage = UDP_STAGE.over;
    if (isOpen) this.#closeSocket(session);
    session.durationMs = clock.nowMs - session.startMs;
    if (forget && session.entry !== NO_ENTRY) traffic.forget(session.flow, clock.nowMs);
    this.bindEntry(session, NO_ENTRY);
    if (isOpen) events.ended(this.#service, reason, session);
    else this.#drops.add(reason, this.#parts.kept.drop(session));
    this.leave(session);
    if (isEntered) this.#left(session);
  }

  #closeSocket(session: UdpSession): void {
    const { memory, reactor, sockets } = this.#parts.worker;
    reactor.forget(session.tag);
    memory.closed(session.descriptor);
    sockets.close(session.descriptor);
    session.descriptor = -1;
  }

  #left(session: UdpSession): void {
    const { worker, memory } = this.#parts.worker;
    this.order.delete(session);
    memory.releaseSession(worker);
    memory.endRun(this.#slot);
    memory.addLive(worker, this.#slot, -1);
    if (this.order.size === 0) this.#emptied();
  }

  /** The record is done with. */
  leave(session: UdpSession): void {
    session.stage = UDP_STAGE.over;
    if (session.admission !== 0) this.#parts.worker.questions.left(session.admission);
    session.admission = 0;
    this.#parts.records.remove(session);
    this.#parts.records.leave(session);
  }

  /** Ends all sessions, or those to one destination. */
  endAll(reason: EndReason, destination?: number): void {
    for (let it = this.order.oldest; it !== undefined;) {
      const { newer } = it;
      if (destination === undefined || it.destination === destination) this.end(it, reason, true);
      it = newer;
    }
    if (destination !== undefined) return;
    for (const it of this.#parts.records.live()) {
      if (it.service?.slot === this.#slot && !it.isEntered) this.end(it, reason, false);
    }
  }

  /** Ends those that were quiet for too long: the order of use is the order of falling idle. */
  endIdle(nowMs: number): void {
    if (this.#idleMs === Infinity) return;
    for (let it = this.order.oldest; it !== undefined && it.lastMs <= nowMs - this.#idleMs;) {
      this.end(it, "idle-timeout", true);
      it = this.order.oldest;
    }
  }

  get hasIdleTimeout(): boolean {
    return this.#idleMs < Infinity;
  }
}

/**
 * A worker's part of `maxSessions`: clients are spread by a hash, so parts fill evenly, and the sum is the cap. At least one, or
 * a worker would serve nobody.
 */
export function shareOf(maxSessions: number, worker: number, workers: number): number {
  const share = Math.floor(maxSessions / workers) + (worker <= maxSessions % workers ? 1 : 0);
  return Math.max(1, share);
}
