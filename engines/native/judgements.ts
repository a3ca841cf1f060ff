/**
 * What the rules say of the workers' connections: rules live in the main thread, and workers ask there.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { DROP_REASON, type DropReason } from "../../director/verdict.ts";
import { IpAddress } from "../../net/address.ts";
import { Flow, NO_ENTRY } from "../../net/flow.ts";
import { refusalReason } from "../refusals.ts";
import type { Command, Report } from "./messages.ts";

/** The rules, in the main thread. */
export interface ConnectionJudge {
  /** @returns why a connection is refused, `none` when it may be opened; the rules' mark is then in the flow */
  admit(flow: Flow, admission: number, bytes: number, nowMs: number): DropReason;
  /** The admission stands for a connection that is there already. */
  introduce(admission: number, family: 4 | 6, client: Uint32Array): void;
  /** The admission's connection is over. */
  entryEnded(admission: number): void;
}

/** Answers for a judge, or lets everybody in where there is none. */
export class Judgements {
  readonly #judge: ConnectionJudge | undefined;
  readonly #clock: Clock;
  /** Below `NO_ENTRY`, so that it is no entry's handle. */
  #nextAdmission = NO_ENTRY - 1;
  /** Those that stand, by worker: a dead one says of none that it is over. */
  readonly #standing = new Map<number, Set<number>>();

  constructor(judge: ConnectionJudge | undefined, clock: Clock) {
    this.#judge = judge;
    this.#clock = clock;
  }

  get hasJudge(): boolean {
    return this.#judge !== undefined;
  }

  judged(worker: number, question: Report & { kind: "judge" }): Command {
    const { connection, startMs, service, family, client, clientPort, virtual, virtualPort } = question;
    const { protocol, bytes } = question;
    const flow = Flow.between(
      protocol,
      { address: new IpAddress(family, client), port: clientPort },
      { address: new IpAddress(family, virtual), port: virtualPort },
    );
    flow.service = service;
    const admission = this.#nextAdmission--;
    const refused = this.#judge?.admit(flow, admission, bytes, this.#clock.nowMs()) ?? DROP_REASON.none;
    const refusal = refused === DROP_REASON.none ? "" : refusalReason(refused);
    const { mark } = flow;
    if (refusal === "") this.#standingOf(worker).add(admission);
    return {
      kind: "judged",
      connection,
      startMs,
      refusal,
      mark,
      admission: refusal === "" ? admission : 0,
    };
  }

  /** @returns what the worker has to know, undefined when it knows */
  introduced(
    worker: number,
    { connection, startMs, family, client, admission: known }: Report & { kind: "introduce" },
  ): Command | undefined {
    if (known !== 0) {
      // Let in by rules that did not count.
      this.#judge?.introduce(known, family, client);
      return undefined;
    }
    const admission = this.#nextAdmission--;
    this.#standingOf(worker).add(admission);
    this.#judge?.introduce(admission, family, client);
    return { kind: "introduced", connection, startMs, admission };
  }

  left(worker: number, { admission }: Report & { kind: "left" }): void {
    this.#standingOf(worker).delete(admission);
    this.#judge?.entryEnded(admission);
  }

  /** The worker's connections are over, and answers on their way to it reach nobody. */
  died(worker: number): void {
    for (const admission of this.#standingOf(worker)) this.#judge?.entryEnded(admission);
    this.#standing.delete(worker);
  }

  #standingOf(worker: number): Set<number> {
    let standing = this.#standing.get(worker);
    if (standing === undefined) this.#standing.set(worker, standing = new Set());
    return standing;
  }
}
