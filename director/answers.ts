/**
 * The director's answers: one verdict, refilled, and the count of those that say no.
 *
 * @module
 */
import { type Flow, NO_ENTRY } from "../net/flow.ts";
import type { ConnectionTable } from "./connections.ts";
import { ENTRY, ENTRY_WORDS } from "./entry_layout.ts";
import type { Statistics } from "./statistics.ts";
import { ACTION, type Action, DROP_REASON, type DropReason, Verdict } from "./verdict.ts";

/** Told about every segment that is not forwarded. A lock may be held: do not ask for another decision from inside. */
export type OnDrop = (flow: Flow, verdict: Verdict) => void;

/** Fills the verdict. */
export class Answers {
  readonly #words: Int32Array;
  readonly #statistics: Statistics;
  readonly #onDrop: OnDrop | undefined;
  readonly #verdict = new Verdict();

  constructor(table: ConnectionTable, statistics: Statistics, onDrop: OnDrop | undefined) {
    this.#words = table.words;
    this.#statistics = statistics;
    this.#onDrop = onDrop;
  }

  /** To a destination, or back to the client; `row` 0 for a one-packet connection, which has no entry. */
  forward(
    flow: Flow,
    service: number,
    destination: number,
    row: number,
    port: number,
    isNew: boolean,
  ): Verdict {
    const verdict = this.#fill(ACTION.forward, DROP_REASON.none, service);
    verdict.destination = destination;
    verdict.destinationPort = port;
    verdict.isNew = isNew;
    if (row !== 0) {
      flow.entry = this.#words[row * ENTRY_WORDS + ENTRY.handle] ?? 0;
      verdict.entry = flow.entry;
    }
    return verdict;
  }

  /** On to the original address, without a destination. */
  bypass(flow: Flow, service: number, row: number, isNew: boolean): Verdict {
    const verdict = this.forward(flow, service, -1, row, flow.virtualPort, isNew);
    verdict.action = ACTION.bypass;
    return verdict;
  }

  refuse(flow: Flow, action: Action, reason: DropReason, service: number): Verdict {
    return this.#count(flow, this.#fill(action, reason, service));
  }

  /** The destination was deleted, and the connection waits for it: dropped, and nothing restarts its timer. */
  hang(flow: Flow, service: number, destination: number): Verdict {
    const verdict = this.#fill(ACTION.drop, DROP_REASON.destinationRemoved, service);
    verdict.destination = destination;
    verdict.entry = flow.entry;
    return this.#count(flow, verdict);
  }

  #count(flow: Flow, verdict: Verdict): Verdict {
    this.#statistics.drop(verdict.reason);
    this.#onDrop?.(flow, verdict);
    return verdict;
  }

  #fill(action: Action, reason: DropReason, service: number): Verdict {
    const verdict = this.#verdict;
    verdict.action = action;
    verdict.reason = reason;
    verdict.service = service;
    verdict.destination = -1;
    verdict.entry = NO_ENTRY;
    verdict.destinationPort = 0;
    verdict.isNew = false;
    return verdict;
  }
}
