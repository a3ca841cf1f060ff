/**
 * Datagrams dropped by one service, on their way to the main thread: a flood must not fill the ring of events.
 *
 * @module
 */
import { END_REASONS, type EndReason } from "../engine.ts";
import type { EventWriter } from "./event_ring.ts";
import type { Reactor, Unfinished } from "./reactor.ts";

/** Counts of one turn by reason. */
export class UdpDrops implements Unfinished {
  readonly #service: number;
  readonly #events: EventWriter;
  readonly #reactor: Reactor;
  readonly #counts = new Map<EndReason, number>();
  #isQueued = false;

  constructor(service: number, events: EventWriter, reactor: Reactor) {
    this.#service = service;
    this.#events = events;
    this.#reactor = reactor;
  }

  add(reason: EndReason, datagrams: number): void {
    if (datagrams === 0) return;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + datagrams);
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#reactor.again(this);
  }

  goOn(): void {
    this.#isQueued = false;
    this.flush();
  }

  flush(): void {
    for (const reason of END_REASONS) {
      const count = this.#counts.get(reason) ?? 0;
      if (count > 0) this.#events.dropped(this.#service, reason, count);
    }
    this.#counts.clear();
  }
}
