/**
 * The way of a segment: a known connection, a new one, or none of ours.
 *
 * @module
 */
import {
  DIRECTION,
  type Direction,
  type Flow,
  isIpsec,
  NO_ENTRY,
  NO_SERVICE,
  PROTOCOL,
  TCP_FLAG,
} from "../net/flow.ts";
import type { Answers } from "./answers.ts";
import type { ConnectionTable } from "./connections.ts";
import type { Entries } from "./entries.ts";
import { ENTRY, ENTRY_WORDS } from "./entry_layout.ts";
import { DESTINATION, DESTINATION_WORDS, ENTRY_FLAG } from "./layout.ts";
import { Opening, QUOTED, type TrafficParts } from "./opening.ts";
import { SCTP_EVENT, SCTP_STATE } from "./sctp_states.ts";
import type { Statistics } from "./statistics.ts";
import { sysctlIndex } from "./sysctl.ts";
import { TCP_STATE } from "./tcp_states.ts";
import { ACTION, DROP_REASON, type StreamPackets, type TrafficEntrance, type Verdict } from "./verdict.ts";

const CONN_REUSE_MODE = sysctlIndex("conn_reuse_mode");
const NAT_ICMP_SEND = sysctlIndex("nat_icmp_send");
const SCHEDULE_ICMP = sysctlIndex("schedule_icmp");
const EXPIRE_NODEST_CONN = sysctlIndex("expire_nodest_conn");
const IKE_PORT = 500;
/** `conn_reuse_mode`: FIN_WAIT counts as ended for DR and TUN, whose answers are never seen. */
const REUSE_FIN_WAIT = 2;

/** Decides segments for one thread. */
export class Traffic implements Omit<TrafficEntrance, "destinationAddress">, StreamPackets {
  /** Latest time seen. */
  lastMs = 0;
  readonly #parts: TrafficParts;
  readonly #table: ConnectionTable;
  readonly #entries: Entries;
  readonly #statistics: Statistics;
  readonly #answers: Answers;
  readonly #opening: Opening;
  readonly #words: Int32Array;
  readonly #destinations: Int32Array;
  readonly #header: Int32Array;

  constructor(parts: TrafficParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#entries = parts.entries;
    this.#statistics = parts.statistics;
    this.#answers = parts.answers;
    this.#opening = new Opening(parts);
    this.#words = parts.table.words;
    this.#destinations = parts.store.destinations;
    this.#header = parts.store.header;
  }

  segment(flow: Flow, direction: Direction, flags: number, bytes: number, nowMs: number): Verdict {
    const output = direction === DIRECTION.output;
    const row = this.#lookup(flow, output, nowMs);
    if (row === 0 && isIpsec(flow.protocol)) return this.#escort(flow, output, bytes, nowMs);
    if (output) {
      if (row === 0) return this.#opening.openOutward(flow, flags, bytes, nowMs) ?? this.#stray(flow, flags);
      return this.#pass(flow, row, true, flags, bytes, nowMs);
    }
    let leaving = NO_ENTRY;
    if (row !== 0) {
      if (this.#isReused(row, flow.protocol, flags)) {
        leaving = flow.entry;
      } else if (!this.#isAvailable(row)) {
        if (this.#words[row * ENTRY_WORDS + ENTRY.destination] === 0) {
          return this.#passBypassed(flow, row, flags, nowMs);
        }
        if (this.#header[EXPIRE_NODEST_CONN] === 0) return this.#hang(flow, row);
        leaving = flow.entry;
      } else {
        return this.#pass(flow, row, false, flags, bytes, nowMs);
      }
      // The old entry is still counted while the new one is scheduled: the kernel ends it a tick later.
      this.#table.hide(row);
      flow.entry = NO_ENTRY;
    }
    const verdict = this.#opening.open(flow, flags, bytes, nowMs);
    if (leaving !== NO_ENTRY) this.#retire(leaving, verdict);
    return verdict;
  }

  /**
   * An ICMP error about a flow, whose two sides are those of the packet that it quotes. It goes the way of the connection,
   * is counted there, and leaves state and timer alone.
   */
  related(flow: Flow, direction: Direction, bytes: number, nowMs: number): Verdict {
    const output = direction === DIRECTION.output;
    const row = isIpsec(flow.protocol)
      ? this.#lookupIke(flow, output, nowMs)
      : this.#lookup(flow, output, nowMs);
    if (row !== 0) {
      const isBypassed = this.#words[row * ENTRY_WORDS + ENTRY.destination] === 0;
      if (isBypassed) return this.#answers.bypass(flow, NO_SERVICE, row, false);
      return this.#carry(flow, row, output, bytes);
    }
    if (output || this.#header[SCHEDULE_ICMP] === 0) {
      return this.#answers.refuse(flow, ACTION.accept, DROP_REASON.notNew, NO_SERVICE);
    }
    return this.#opening.open(flow, QUOTED, bytes, nowMs);
  }

  reschedule(flow: Flow, failed: readonly number[], nowMs: number): Verdict {
    const row = this.#lookup(flow, false, nowMs);
    if (row === 0) return this.#answers.refuse(flow, ACTION.drop, DROP_REASON.notNew, NO_SERVICE);
    const first = this.#destinationSlot(row) * DESTINATION_WORDS;
    // By a mark the flow may have come to another service than its listener's.
    const service = flow.service === NO_SERVICE || flow.mark !== 0
      ? this.#destinations[first + DESTINATION.service] ?? 0
      : flow.service;
    const slot = this.#parts.services.slotOf(service);
    if (slot === 0) return this.#answers.refuse(flow, ACTION.reject, DROP_REASON.noService, service);
    return this.#opening.reopen(flow, row, slot, service, failed, nowMs);
  }

  countPackets(flow: Flow, input: number, output: number): void {
    const row = this.#table.verified(flow.entry, flow, false);
    if (row === 0) return;
    const slot = this.#destinationSlot(row);
    const from = slot * DESTINATION_WORDS;
    if (this.#destinations[from + DESTINATION.available] !== 1) return;
    const service = this.#parts.services.slotOf(this.#destinations[from + DESTINATION.service] ?? 0);
    this.#statistics.input(service, slot, input, 0);
    this.#statistics.output(service, slot, output, 0);
  }

  forget(flow: Flow, nowMs: number): void {
    const row = this.#lookup(flow, false, nowMs);
    if (row !== 0) this.#entries.remove(row);
    flow.entry = NO_ENTRY;
  }

  /** The flow's living entry, 0 for none. */
  #lookup(flow: Flow, output: boolean, nowMs: number): number {
    this.lastMs = nowMs;
    let row = this.#table.verified(flow.entry, flow, output);
    if (row === 0) {
      row = this.#table.find(flow, output);
      if (row === 0) {
        flow.entry = NO_ENTRY;
        return 0;
      }
      flow.entry = this.#words[row * ENTRY_WORDS + ENTRY.handle] ?? 0;
    }
    if (!this.#entries.isExpired(row, nowMs)) return row;
    this.#entries.end(row, "timeout");
    flow.entry = NO_ENTRY;
    return 0;
  }

  /** AH and ESP go with their IKE connection, keep it alive, and never open one (`ip_vs_proto_ah_esp.c`). */
  #escort(flow: Flow, output: boolean, bytes: number, nowMs: number): Verdict {
    const row = this.#lookupIke(flow, output, nowMs);
    if (row === 0) return this.#answers.refuse(flow, ACTION.accept, DROP_REASON.notNew, NO_SERVICE);
    const isBypassed = this.#words[row * ENTRY_WORDS + ENTRY.destination] === 0;
    if (!output && !isBypassed && !this.#isAvailable(row)) {
      if (this.#header[EXPIRE_NODEST_CONN] === 0) return this.#hang(flow, row);
      this.#entries.end(row, "destination-removed");
      return this.#answers.refuse(flow, ACTION.accept, DROP_REASON.notNew, NO_SERVICE);
    }
    this.#entries.restart(row, nowMs);
    if (isBypassed) return this.#answers.bypass(flow, NO_SERVICE, row, false);
    return this.#carry(flow, row, output, bytes);
  }

  /** The IKE connection between a flow's two addresses, 0 for none. */
  #lookupIke(flow: Flow, output: boolean, nowMs: number): number {
    const { protocol, clientPort, virtualPort } = flow;
    flow.protocol = PROTOCOL.udp;
    flow.clientPort = flow.virtualPort = IKE_PORT;
    const row = this.#lookup(flow, output, nowMs);
    flow.protocol = protocol;
    flow.clientPort = clientPort;
    flow.virtualPort = virtualPort;
    return row;
  }

  /** A segment of a known connection. */
  #pass(flow: Flow, row: number, output: boolean, flags: number, bytes: number, nowMs: number): Verdict {
    this.#entries.move(row, output, flags, nowMs);
    return this.#carry(flow, row, output, bytes);
  }

  /** Counts a packet of a known connection, and says where it goes. */
  #carry(flow: Flow, row: number, output: boolean, bytes: number): Verdict {
    const base = row * ENTRY_WORDS;
    const handle = this.#words[base + ENTRY.destination] ?? 0;
    const slot = this.#destinationSlot(row);
    const from = slot * DESTINATION_WORDS;
    const service = this.#destinations[from + DESTINATION.service] ?? 0;
    if (this.#destinations[from + DESTINATION.available] === 1) {
      const serviceSlot = this.#parts.services.slotOf(service);
      if (output) this.#statistics.output(serviceSlot, slot, flow.packets, bytes);
      else this.#statistics.input(serviceSlot, slot, flow.packets, bytes);
    }
    if (!output) {
      // A socket engine's TCP segment stands for no packet, and is one all the same.
      const packets = Math.max(1, flow.packets);
      this.#words[base + ENTRY.inPackets] = (this.#words[base + ENTRY.inPackets] ?? 0) + packets;
    }
    return this.#answers.forward(
      flow,
      service,
      handle,
      row,
      this.#words[base + ENTRY.destinationPort] ?? 0,
      false,
    );
  }

  /** `cache_bypass`: nothing counts it, for it has no destination. */
  #passBypassed(flow: Flow, row: number, flags: number, nowMs: number): Verdict {
    const packets = row * ENTRY_WORDS + ENTRY.inPackets;
    this.#entries.move(row, false, flags, nowMs);
    this.#words[packets] = (this.#words[packets] ?? 0) + 1;
    return this.#answers.bypass(flow, NO_SERVICE, row, false);
  }

  /** A packet from the other side that belongs to no connection: ordinary traffic, unless `nat_icmp_send` says no. */
  #stray(flow: Flow, flags: number): Verdict {
    const isReset = flow.protocol === PROTOCOL.tcp
      ? (flags & TCP_FLAG.rst) !== 0
      : flow.protocol === PROTOCOL.sctp && flags === SCTP_EVENT.abort;
    const isTold = this.#header[NAT_ICMP_SEND] !== 0 && !isReset && this.#parts.realServers.find(flow) !== 0;
    const action = isTold ? ACTION.reject : ACTION.accept;
    return this.#answers.refuse(flow, action, DROP_REASON.notNew, NO_SERVICE);
  }

  /** A SYN that ends the entry's connection and begins another one. */
  #isReused(row: number, protocol: number, flags: number): boolean {
    const isFirst = protocol === PROTOCOL.tcp
      ? (flags & TCP_FLAG.syn) !== 0
      : protocol === PROTOCOL.sctp && flags === SCTP_EVENT.init;
    if (!isFirst) return false;
    const base = row * ENTRY_WORDS;
    if (this.#header[EXPIRE_NODEST_CONN] !== 0 && this.#words[base + ENTRY.destination] !== 0) {
      if (this.#destinations[this.#destinationSlot(row) * DESTINATION_WORDS + DESTINATION.weight] === 0) {
        return true;
      }
    }
    const mode = this.#header[CONN_REUSE_MODE] ?? 0;
    if (mode === 0 || this.#words[base + ENTRY.template] !== 0) return false;
    const state = this.#words[base + ENTRY.state];
    if (protocol === PROTOCOL.sctp) return state === SCTP_STATE.closed;
    if (state === TCP_STATE.timeWait || state === TCP_STATE.close) return true;
    return (mode & REUSE_FIN_WAIT) !== 0 && state === TCP_STATE.finWait &&
      ((this.#words[base + ENTRY.flags] ?? 0) & ENTRY_FLAG.noOutput) !== 0;
  }

  #isAvailable(row: number): boolean {
    return this.#destinations[this.#destinationSlot(row) * DESTINATION_WORDS + DESTINATION.available] === 1;
  }

  #destinationSlot(row: number): number {
    return this.#parts.destinations.slotOf(this.#words[row * ENTRY_WORDS + ENTRY.destination] ?? 0);
  }

  /** Ends an entry that a new one replaced, unless it gave way already; the verdict about the new one survives. */
  #retire(old: number, verdict: Verdict): void {
    const row = this.#table.slotOf(old);
    if (row === 0) return;
    // Whoever hears of the end may ask for another verdict. One by one: a client that opens and closes uses its ports again
    // within seconds, so this is done for each of its connections.
    const { action, reason, service, destination, entry, destinationPort, isNew } = verdict;
    this.#entries.end(row, "rescheduled");
    verdict.action = action;
    verdict.reason = reason;
    verdict.service = service;
    verdict.destination = destination;
    verdict.entry = entry;
    verdict.destinationPort = destinationPort;
    verdict.isNew = isNew;
  }

  #hang(flow: Flow, row: number): Verdict {
    const destination = this.#words[row * ENTRY_WORDS + ENTRY.destination] ?? 0;
    const base = this.#destinationSlot(row) * DESTINATION_WORDS;
    return this.#answers.hang(flow, this.#destinations[base + DESTINATION.service] ?? 0, destination);
  }
}
