/**
 * The rules in front of the director, where connections come as sockets and not as packets: what opens a connection goes
 * through PREROUTING and INPUT, on which the director itself hangs. The rest of a connection passes by.
 *
 * @module
 */
import { ACTION, DROP_REASON, type DropReason, type TrafficEntrance, Verdict } from "../director/verdict.ts";
import type { ConnectionCounts } from "../hooks/connection_counts.ts";
import { DIRECTOR_PRIORITY, HOOK, VERDICT } from "../hooks/hook.ts";
import type { Hooks } from "../hooks/hooks.ts";
import { PacketView } from "../hooks/packet_view.ts";
import { DIRECTION, type Direction, type Flow, NO_ENTRY, PROTOCOL, TCP_FLAG } from "../net/flow.ts";

export interface RuleGateOptions {
  /** The director. */
  readonly traffic: TrafficEntrance;
  readonly hooks: Hooks;
  readonly counts: ConnectionCounts;
  /** Number of a service in the rules by its handle, -1 for one that no rule names. */
  readonly serviceNumber: (service: number) => number;
}

/** An entrance for traffic that asks the rules first. An engine is given it in the place of the director. */
export class RuleGate implements TrafficEntrance {
  readonly #traffic: TrafficEntrance;
  readonly #hooks: Hooks;
  readonly #counts: ConnectionCounts;
  readonly #serviceNumber: (service: number) => number;
  readonly #view = new PacketView();
  readonly #refusal = new Verdict();
  /** Entries of which one side has finished, with that side. */
  readonly #halfClosed = new Map<number, Direction>();
  /** The connection judged last: asked for again, it is not judged twice. */
  #judged: Flow | undefined;
  /** What the director's function on INPUT works on. */
  #flow: Flow | undefined;
  #flags = 0;
  #bytes = 0;
  #dropped = 0;
  #rejected = 0;
  #verdict: Verdict | undefined;

  constructor({ traffic, hooks, counts, serviceNumber }: RuleGateOptions) {
    this.#traffic = traffic;
    this.#hooks = hooks;
    this.#counts = counts;
    this.#serviceNumber = serviceNumber;
    hooks.register(HOOK.input, DIRECTOR_PRIORITY.inputRequest, (view, nowMs) => {
      if (this.#flow === undefined) return VERDICT.accept;
      this.#flow.mark = view.mark;
      this.#verdict = traffic.segment(this.#flow, DIRECTION.input, this.#flags, this.#bytes, nowMs);
      return VERDICT.stolen;
    });
  }

  segment(flow: Flow, direction: Direction, flags: number, bytes: number, nowMs: number): Verdict {
    const opens = direction === DIRECTION.input && flow.entry === NO_ENTRY &&
      (flow.protocol !== PROTOCOL.tcp || (flags & TCP_FLAG.syn) !== 0);
    if (opens && flow !== this.#judged && this.#hooks.hasRules) {
      return this.#judge(flow, flags, bytes, nowMs);
    }
    const entry = flow.entry;
    const verdict = this.#traffic.segment(flow, direction, flags, bytes, nowMs);
    if (this.#counts.isNeeded) {
      if (verdict.isNew) this.#opened(verdict, flow);
      else if ((flags & (TCP_FLAG.fin | TCP_FLAG.rst)) !== 0) this.#closing(entry, direction, flags);
    }
    return verdict;
  }

  reschedule(flow: Flow, failed: readonly number[], nowMs: number): Verdict {
    return this.#traffic.reschedule(flow, failed, nowMs);
  }

  forget(flow: Flow, nowMs: number): void {
    const entry = flow.entry;
    this.#traffic.forget(flow, nowMs);
    this.entryEnded(entry);
  }

  destinationAddress(destination: number): { readonly host: string; readonly family: 4 | 6 } {
    return this.#traffic.destinationAddress(destination);
  }

  /**
   * Judges a connection that another thread is about to open: its director is not this one. The rules' mark is then in the flow.
   *
   * @param admission a number below `NO_ENTRY` that stands for the connection until {@linkcode entryEnded} is told of it
   * @param bytes payload of the datagram that opens it, 0 for TCP
   * @returns why it is refused, `none` when it may be opened
   */
  admit(flow: Flow, admission: number, bytes: number, nowMs: number): DropReason {
    const view = this.#view;
    view.fillFrom(flow);
    view.bytes = bytes;
    view.service = this.#serviceNumber(flow.service);
    let said = this.#hooks.run(HOOK.prerouting, view, nowMs);
    if (said === VERDICT.accept) said = this.#hooks.run(HOOK.input, view, nowMs);
    flow.mark = view.mark;
    if (said === VERDICT.drop || said === VERDICT.reject) {
      return this.#refuse(flow, said === VERDICT.reject).reason;
    }
    if (this.#counts.isNeeded) this.#counts.opened(admission, flow.family, flow.client);
    return DROP_REASON.none;
  }

  /** Counts a connection of another thread that was there before anybody counted. */
  introduce(admission: number, family: 4 | 6, client: Uint32Array): void {
    if (this.#counts.isNeeded) this.#counts.opened(admission, family, client);
  }

  /** What the rules refused, by the names of `DROP_REASON`; the director has not seen it. */
  get drops(): { readonly ruleDrop: number; readonly ruleReject: number } {
    return { ruleDrop: this.#dropped, ruleReject: this.#rejected };
  }

  /** The director let go of an entry. */
  entryEnded(entry: number): void {
    if (entry === NO_ENTRY) return;
    // Also while nobody counts: the handle may come back as another connection when somebody does again.
    if (this.#halfClosed.size > 0) this.#halfClosed.delete(entry);
    if (!this.#counts.isNeeded) return;
    this.#counts.closed(entry);
  }

  /** What opens a connection: both hooks, at whose end the director is. */
  #judge(flow: Flow, flags: number, bytes: number, nowMs: number): Verdict {
    const view = this.#view;
    view.fillFrom(flow);
    view.bytes = bytes;
    view.service = this.#serviceNumber(flow.service);
    // A UDP relay refills one flow for each datagram: only TCP's stands for one connection.
    this.#judged = flow.protocol === PROTOCOL.tcp ? flow : undefined;
    this.#flow = flow;
    this.#flags = flags;
    this.#bytes = bytes;
    let said = this.#hooks.run(HOOK.prerouting, view, nowMs);
    if (said === VERDICT.accept) said = this.#hooks.run(HOOK.input, view, nowMs);
    this.#flow = undefined;
    const verdict = this.#verdict;
    this.#verdict = undefined;
    if (said === VERDICT.drop || said === VERDICT.reject || verdict === undefined) {
      return this.#refuse(flow, said === VERDICT.reject);
    }
    if (verdict.isNew && this.#counts.isNeeded) this.#opened(verdict, flow);
    return verdict;
  }

  #refuse(flow: Flow, rejects: boolean): Verdict {
    this.#judged = undefined;
    if (rejects) this.#rejected++;
    else this.#dropped++;
    const refusal = this.#refusal;
    refusal.action = rejects ? ACTION.reject : ACTION.drop;
    refusal.reason = rejects ? DROP_REASON.ruleReject : DROP_REASON.ruleDrop;
    refusal.service = flow.service;
    return refusal;
  }

  /** One-packet connections have no entry: they are over already. */
  #opened(verdict: Verdict, flow: Flow): void {
    if (verdict.entry !== NO_ENTRY) this.#counts.opened(verdict.entry, flow.family, flow.client);
  }

  /** As conntrack's, a connection counts until it was reset or both sides have finished. */
  #closing(entry: number, direction: Direction, flags: number): void {
    if (entry === NO_ENTRY) return;
    const other = this.#halfClosed.get(entry);
    if ((flags & TCP_FLAG.rst) === 0 && (other === undefined || other === direction)) {
      this.#halfClosed.set(entry, direction);
    } else this.entryEnded(entry);
  }
}
