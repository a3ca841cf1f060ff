/**
 * The way of a segment: a known connection, a new one, or none of ours.
 *
 * @module
 */
import {
  DIRECTION,
  type Direction,
  type Flow,
  NO_ENTRY,
  NO_SERVICE,
  PROTOCOL,
  TCP_FLAG,
} from "../net/flow.ts";
import type { ConnectionTable } from "./connections.ts";
import type { DestinationTable } from "./destinations.ts";
import type { Entries } from "./entries.ts";
import { ENTRY, ENTRY_WORDS } from "./entry_layout.ts";
import {
  DESTINATION,
  DESTINATION_WORDS,
  ENTRY_FLAG,
  SERVICE,
  SERVICE_FLAG,
  SERVICE_WORDS,
} from "./layout.ts";
import type { Locks } from "./locks.ts";
import type { Scheduling } from "./scheduling.ts";
import { SCTP_EVENT, SCTP_STATE } from "./sctp_states.ts";
import type { ServiceTable } from "./services.ts";
import type { Statistics } from "./statistics.ts";
import type { Store } from "./store.ts";
import { sysctlIndex } from "./sysctl.ts";
import { TCP_STATE } from "./tcp_states.ts";
import type { TemplateTable } from "./templates.ts";
import { ACTION, type Action, DROP_REASON, type DropReason, Verdict } from "./verdict.ts";

const CONN_REUSE_MODE = sysctlIndex("conn_reuse_mode");
const EXPIRE_NODEST_CONN = sysctlIndex("expire_nodest_conn");
const SLOPPY_SCTP = sysctlIndex("sloppy_sctp");
const SLOPPY_TCP = sysctlIndex("sloppy_tcp");
const FTP_PORT = 21;
const FTP_DATA_PORT = 20;
/** `conn_reuse_mode`: FIN_WAIT counts as ended for DR and TUN, whose answers are never seen. */
const REUSE_FIN_WAIT = 2;

export interface TrafficParts {
  readonly store: Store;
  readonly table: ConnectionTable;
  readonly services: ServiceTable;
  readonly destinations: DestinationTable;
  readonly templates: TemplateTable;
  readonly entries: Entries;
  readonly scheduling: Scheduling;
  readonly statistics: Statistics;
  readonly locks: Locks;
  readonly onDrop: ((flow: Flow, verdict: Verdict) => void) | undefined;
}

/** Decides segments for one thread. */
export class Traffic {
  /** Latest time seen. */
  lastMs = 0;
  readonly #parts: TrafficParts;
  readonly #table: ConnectionTable;
  readonly #entries: Entries;
  readonly #statistics: Statistics;
  readonly #words: Int32Array;
  readonly #services: Int32Array;
  readonly #destinations: Int32Array;
  readonly #header: Int32Array;
  readonly #verdict = new Verdict();

  constructor(parts: TrafficParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#entries = parts.entries;
    this.#statistics = parts.statistics;
    this.#words = parts.table.words;
    this.#services = parts.store.services;
    this.#destinations = parts.store.destinations;
    this.#header = parts.store.header;
  }

  segment(flow: Flow, direction: Direction, flags: number, bytes: number, nowMs: number): Verdict {
    const output = direction === DIRECTION.output;
    let row = this.#lookup(flow, output, nowMs);
    if (output) {
      if (row === 0) return this.#refuse(flow, ACTION.accept, DROP_REASON.notNew, NO_SERVICE);
      return this.#pass(flow, row, true, flags, bytes, nowMs);
    }
    let leaving = 0;
    if (row !== 0) {
      if (this.#isReused(row, flow.protocol, flags)) {
        leaving = row;
      } else if (!this.#isAvailable(row)) {
        if (this.#header[EXPIRE_NODEST_CONN] === 0) return this.#hang(flow, row);
        leaving = row;
      } else {
        return this.#pass(flow, row, false, flags, bytes, nowMs);
      }
      // The old entry is still counted while the new one is scheduled: the kernel ends it a tick later.
      this.#table.hide(row);
      row = 0;
    }
    const verdict = this.#open(flow, flags, bytes, nowMs);
    if (leaving !== 0) this.#retire(leaving, verdict);
    return verdict;
  }

  reschedule(flow: Flow, failed: readonly number[], nowMs: number): Verdict {
    const row = this.#lookup(flow, false, nowMs);
    if (row === 0) return this.#refuse(flow, ACTION.drop, DROP_REASON.notNew, NO_SERVICE);
    const { services, locks, scheduling, statistics } = this.#parts;
    const base = row * ENTRY_WORDS;
    const first = this.#destinationSlot(row) * DESTINATION_WORDS;
    const handle = flow.service !== NO_SERVICE
      ? flow.service
      : this.#destinations[first + DESTINATION.service] ?? 0;
    const slot = services.slotOf(handle);
    if (slot === 0) return this.#refuse(flow, ACTION.reject, DROP_REASON.noService, handle);
    const lock = slot * SERVICE_WORDS + SERVICE.lock;
    locks.lock(this.#services, lock);
    try {
      const reason = scheduling.choose(flow, slot, true, nowMs, failed);
      if (reason !== DROP_REASON.none) {
        return this.#refuse(flow, this.#actionFor(reason, flow, slot), reason, handle);
      }
      this.#entries.rebind(row, scheduling.destination, scheduling.destinationPort, scheduling.template);
    } finally {
      locks.unlock(this.#services, lock);
    }
    // Only the destination counts it: for service and total it is the same connection as before.
    statistics.connection(0, scheduling.destination);
    return this.#forward(flow, handle, this.#words[base + ENTRY.destination] ?? 0, row, false);
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

  /** A segment of a known connection. */
  #pass(flow: Flow, row: number, output: boolean, flags: number, bytes: number, nowMs: number): Verdict {
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
    this.#entries.move(row, output, flags, nowMs);
    if (!output) this.#words[base + ENTRY.inPackets] = (this.#words[base + ENTRY.inPackets] ?? 0) + 1;
    return this.#forward(flow, service, handle, row, false);
  }

  /** Perhaps a new connection. */
  #open(flow: Flow, flags: number, bytes: number, nowMs: number): Verdict {
    const { protocol } = flow;
    if (protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp && protocol !== PROTOCOL.sctp) {
      return this.#refuse(flow, ACTION.accept, DROP_REASON.noService, NO_SERVICE);
    }
    if (!this.#mayOpen(protocol, flags)) {
      return this.#refuse(flow, ACTION.accept, DROP_REASON.notNew, NO_SERVICE);
    }
    const { services, locks } = this.#parts;
    const byListener = flow.service !== NO_SERVICE;
    const handle = byListener ? flow.service : services.lookup(flow);
    const slot = services.slotOf(handle);
    if (slot === 0) return this.#refuse(flow, ACTION.accept, DROP_REASON.noService, NO_SERVICE);
    // A real server's active FTP data connection, never a client's.
    if (!byListener && flow.clientPort === FTP_DATA_PORT) {
      return this.#refuse(flow, ACTION.accept, DROP_REASON.notNew, handle);
    }
    const lock = slot * SERVICE_WORDS + SERVICE.lock;
    locks.lock(this.#services, lock);
    try {
      // Deleted between the search and the lock.
      if (services.slotOf(handle) !== slot) {
        return this.#refuse(flow, ACTION.accept, DROP_REASON.noService, NO_SERVICE);
      }
      return this.#schedule(flow, handle, slot, byListener, flags, bytes, nowMs);
    } finally {
      locks.unlock(this.#services, lock);
    }
  }

  /** Whether a segment without an entry may make one. SYN+ACK may: active FTP begins so. */
  #mayOpen(protocol: number, flags: number): boolean {
    if (protocol === PROTOCOL.udp) return true;
    if (protocol === PROTOCOL.sctp) {
      return flags === SCTP_EVENT.init || (this.#header[SLOPPY_SCTP] !== 0 && flags !== SCTP_EVENT.abort);
    }
    return (flags & TCP_FLAG.rst) === 0 && ((flags & TCP_FLAG.syn) !== 0 || this.#header[SLOPPY_TCP] !== 0);
  }

  /** Asks for a destination and makes the entry; under the service's lock. */
  #schedule(
    flow: Flow,
    handle: number,
    slot: number,
    byListener: boolean,
    flags: number,
    bytes: number,
    nowMs: number,
  ): Verdict {
    const { scheduling, statistics, templates } = this.#parts;
    const reason = scheduling.choose(flow, slot, byListener, nowMs);
    if (reason !== DROP_REASON.none) {
      return this.#refuse(flow, this.#actionFor(reason, flow, slot), reason, handle);
    }
    const { destination, destinationPort, template } = scheduling;
    const isOnePacket = flow.protocol === PROTOCOL.udp &&
      ((this.#services[slot * SERVICE_WORDS + SERVICE.flags] ?? 0) & SERVICE_FLAG.onePacket) !== 0;
    let row = 0;
    if (isOnePacket) {
      this.#touch(destination, template);
    } else {
      row = this.#entries.create(flow, destination, destinationPort, template);
      if (row === 0) {
        if (template !== 0) templates.uncontrol(template);
        return this.#refuse(flow, ACTION.drop, DROP_REASON.tableFull, handle);
      }
      this.#entries.move(row, false, flags, nowMs);
      this.#words[row * ENTRY_WORDS + ENTRY.inPackets] = 1;
    }
    statistics.connection(slot, destination);
    statistics.input(slot, destination, flow.packets, bytes);
    const chosen = this.#destinations[destination * DESTINATION_WORDS + DESTINATION.handle] ?? 0;
    const verdict = this.#forward(flow, handle, chosen, row, true);
    verdict.destinationPort = destinationPort;
    return verdict;
  }

  /** A one-packet connection comes and goes at once; only the thresholds notice. */
  #touch(destination: number, template: number): void {
    const { destinations, templates } = this.#parts;
    destinations.bindConnection(destination);
    destinations.unbindConnection(destination, false);
    if (template !== 0) templates.uncontrol(template);
  }

  /** `ip_vs_leave`: what becomes of a packet without a destination. */
  #actionFor(reason: DropReason, flow: Flow, slot: number): Action {
    if (reason !== DROP_REASON.noDestination) return ACTION.drop;
    const port = this.#services[slot * SERVICE_WORDS + SERVICE.port];
    return port === FTP_PORT && flow.virtualPort !== FTP_PORT ? ACTION.accept : ACTION.reject;
  }

  /** A SYN that ends the entry's connection and begins another one. */
  #isReused(row: number, protocol: number, flags: number): boolean {
    const isFirst = protocol === PROTOCOL.tcp
      ? (flags & TCP_FLAG.syn) !== 0
      : protocol === PROTOCOL.sctp && flags === SCTP_EVENT.init;
    if (!isFirst) return false;
    const base = row * ENTRY_WORDS;
    if (this.#header[EXPIRE_NODEST_CONN] !== 0) {
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

  /** Ends an entry that a new one replaced, without disturbing the verdict about the new one. */
  #retire(row: number, verdict: Verdict): void {
    const { action, reason, service, destination, entry, destinationPort, isNew } = verdict;
    this.#entries.end(row, "rescheduled");
    Object.assign(verdict, { action, reason, service, destination, entry, destinationPort, isNew });
  }

  /** The destination was deleted, and its connection waits for it: nothing restarts the timer. */
  #hang(flow: Flow, row: number): Verdict {
    const handle = this.#words[row * ENTRY_WORDS + ENTRY.destination] ?? 0;
    const service =
      this.#destinations[this.#destinationSlot(row) * DESTINATION_WORDS + DESTINATION.service] ?? 0;
    const verdict = this.#fill(ACTION.drop, DROP_REASON.destinationDeleted, service);
    verdict.destination = handle;
    verdict.entry = flow.entry;
    return this.#count(flow, verdict);
  }

  #forward(flow: Flow, service: number, destination: number, row: number, isNew: boolean): Verdict {
    const verdict = this.#fill(ACTION.forward, DROP_REASON.none, service);
    const base = row * ENTRY_WORDS;
    verdict.destination = destination;
    verdict.isNew = isNew;
    if (row === 0) return verdict;
    flow.entry = this.#words[base + ENTRY.handle] ?? 0;
    verdict.entry = flow.entry;
    verdict.destinationPort = this.#words[base + ENTRY.destinationPort] ?? 0;
    return verdict;
  }

  #refuse(flow: Flow, action: Action, reason: DropReason, service: number): Verdict {
    return this.#count(flow, this.#fill(action, reason, service));
  }

  #count(flow: Flow, verdict: Verdict): Verdict {
    const { statistics, onDrop } = this.#parts;
    statistics.drop(verdict.reason);
    onDrop?.(flow, verdict);
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
