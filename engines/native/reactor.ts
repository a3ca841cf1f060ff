/**
 * The loop of a worker: waits for sockets, tells whoever watches them, never awaits.
 *
 * @module
 */
import { EPOLL, type Epoll } from "../../sys/epoll.ts";

/** At 50 connections that come and go as fast as they can a turn has some 40 events, with one at a time one or two. */
const BUSY_EVENTS = 4;
/** A busy worker's turns differ: only so many lesser ones in a row say that it is none any more. */
const QUIET_TURNS = 8;

/** Told what happened to a descriptor, as `EPOLL` bits. */
export interface Watched {
  ready(happened: number): void;
}

/** Something that has more to do than one turn allows. */
export interface Unfinished {
  goOn(): void;
}

/** Everything that may happen to a connected socket, once each time it does. `urgent`: see TcpSide. */
export const STREAM_EVENTS = EPOLL.in | EPOLL.peerHangUp | EPOLL.urgent | EPOLL.edgeTriggered;

/**
 * Watches by tags. A tag is given again only when the events of the turn are all told: an event that was already fetched
 * for a closed socket never reaches its successor.
 */
export class Reactor {
  readonly #epoll: Epoll;
  readonly #watched: (Watched | undefined)[] = [undefined];
  readonly #free: number[] = [];
  readonly #leaving: number[] = [];
  #unfinished: Unfinished[] = [];
  #later: Unfinished[] = [];
  /** Turns in a row in which little happened. */
  #quietTurns = QUIET_TURNS;
  /** Called when the events of a turn are told and nobody holds a stale one. */
  readonly #turned: () => void;

  constructor(epoll: Epoll, turned: () => void) {
    this.#epoll = epoll;
    this.#turned = turned;
  }

  /** @returns the tag of this watch */
  watch(descriptor: number, interest: number, watched: Watched): number {
    const tag = this.#free.pop() ?? this.#watched.length;
    this.#watched[tag] = watched;
    this.#epoll.add(descriptor, interest, tag);
    return tag;
  }

  change(descriptor: number, interest: number, tag: number): void {
    this.#epoll.modify(descriptor, interest, tag);
  }

  /** The descriptor is about to be closed, which takes it out of the kernel's list. */
  forget(tag: number): void {
    this.#watched[tag] = undefined;
    this.#leaving.push(tag);
  }

  /** The descriptor stays open, for others. */
  unwatch(descriptor: number, tag: number): void {
    this.#epoll.delete(descriptor);
    this.forget(tag);
  }

  /** Calls `goOn` once, after the events of this turn. */
  again(unfinished: Unfinished): void {
    this.#unfinished.push(unfinished);
  }

  /** So much happens that what comes next is hardly far, and processors have no time to spare. */
  get isBusy(): boolean {
    return this.#quietTurns < QUIET_TURNS;
  }

  get hasUnfinished(): boolean {
    return this.#unfinished.length > 0;
  }

  /** One turn. @param timeoutMs how long to wait when nothing is to be done */
  turn(timeoutMs: number, woken: () => void): void {
    const count = this.#epoll.wait(this.#unfinished.length > 0 ? 0 : timeoutMs);
    this.#quietTurns = count >= BUSY_EVENTS ? 0 : this.#quietTurns + 1;
    woken();
    for (let i = 0; i < count; i++) {
      this.#watched[this.#epoll.tag(i)]?.ready(this.#epoll.happened(i));
    }
    if (this.#unfinished.length > 0) this.#goOn();
    if (this.#leaving.length > 0) {
      for (const tag of this.#leaving) this.#free.push(tag);
      this.#leaving.length = 0;
    }
    this.#turned();
  }

  #goOn(): void {
    const now = this.#unfinished;
    this.#unfinished = this.#later;
    this.#later = now;
    for (const it of now) it.goOn();
    now.length = 0;
  }
}
