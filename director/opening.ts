/**
 * How a connection begins: the segment that may open one, the decision, the entry.
 *
 * @module
 */
import { type Flow, NO_SERVICE, PROTOCOL, TCP_FLAG } from "../net/flow.ts";
import type { Answers } from "./answers.ts";
import type { ConnectionTable } from "./connections.ts";
import type { Defence } from "./defence.ts";
import type { DestinationTable } from "./destinations.ts";
import type { Entries } from "./entries.ts";
import { ENTRY, ENTRY_WORDS } from "./entry_layout.ts";
import { DESTINATION, DESTINATION_WORDS, SERVICE, SERVICE_FLAG, SERVICE_WORDS } from "./layout.ts";
import type { Locks } from "./locks.ts";
import type { RealServers } from "./real_servers.ts";
import type { Scheduling } from "./scheduling.ts";
import { SCTP_EVENT } from "./sctp_states.ts";
import type { ServiceTable } from "./services.ts";
import type { Statistics } from "./statistics.ts";
import type { Store } from "./store.ts";
import { sysctlIndex } from "./sysctl.ts";
import type { TemplateTable } from "./templates.ts";
import { ACTION, type Action, DROP_REASON, type DropReason, type Verdict } from "./verdict.ts";

const CACHE_BYPASS = sysctlIndex("cache_bypass");
const SLOPPY_SCTP = sysctlIndex("sloppy_sctp");
const SLOPPY_TCP = sysctlIndex("sloppy_tcp");
const FTP_PORT = 21;
const FTP_DATA_PORT = 20;

/**
 * Whether a flow's virtual address is a unicast address of another host, so that a packet without a destination may go on to
 * it (`cache_bypass`).
 */
export type IsBypassed = (flow: Flow) => boolean;

/** What the way of a segment leads through. */
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
  readonly answers: Answers;
  readonly defence: Defence;
  readonly realServers: RealServers;
  readonly isBypassed: IsBypassed | undefined;
}

/** In the place of flags: the flow is that of a packet quoted by an ICMP error, and no segment of its own. */
export const QUOTED = -1;

/** Opens connections for one thread. */
export class Opening {
  readonly #parts: TrafficParts;
  readonly #services: Int32Array;
  readonly #destinations: Int32Array;
  readonly #header: Int32Array;

  constructor(parts: TrafficParts) {
    this.#parts = parts;
    this.#services = parts.store.services;
    this.#destinations = parts.store.destinations;
    this.#header = parts.store.header;
  }

  /** A segment that no entry is known for; `flags` may be {@linkcode QUOTED}. */
  open(flow: Flow, flags: number, bytes: number, nowMs: number): Verdict {
    const { protocol } = flow;
    const { answers, services, locks, defence } = this.#parts;
    if (protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp && protocol !== PROTOCOL.sctp) {
      return answers.refuse(flow, ACTION.accept, DROP_REASON.noService, NO_SERVICE);
    }
    if (flags !== QUOTED && !this.#mayOpen(protocol, flags)) {
      return answers.refuse(flow, ACTION.accept, DROP_REASON.notNew, NO_SERVICE);
    }
    let byListener = flow.service !== NO_SERVICE;
    let handle = byListener ? flow.service : services.lookup(flow);
    if (byListener && flow.mark !== 0) {
      // A mark goes before the address, so before the listener too.
      const marked = services.lookupMark(flow);
      if (marked !== 0) [handle, byListener] = [marked, false];
    }
    const slot = services.slotOf(handle);
    if (slot === 0) return answers.refuse(flow, ACTION.accept, DROP_REASON.noService, NO_SERVICE);
    if (defence.dropsPacket()) {
      return answers.refuse(flow, ACTION.drop, DROP_REASON.memoryPressure, handle);
    }
    // A real server's active FTP data connection, never a client's.
    if (!byListener && flow.clientPort === FTP_DATA_PORT) {
      return answers.refuse(flow, ACTION.accept, DROP_REASON.notNew, handle);
    }
    const lock = slot * SERVICE_WORDS + SERVICE.lock;
    locks.lock(this.#services, lock);
    try {
      // Deleted between the search and the lock.
      if (services.slotOf(handle) !== slot) {
        return answers.refuse(flow, ACTION.accept, DROP_REASON.noService, NO_SERVICE);
      }
      return this.#schedule(flow, handle, slot, byListener, flags, bytes, nowMs);
    } finally {
      locks.unlock(this.#services, lock);
    }
  }

  /**
   * A real server's packet without an entry: a persistence engine lets its call begin there (`__ip_vs_rs_conn_out`; UDP, and
   * neither a service of a mark nor of every port). One-packet services have their answers translated by that: they keep no entry,
   * so the flow is left with the service's address as its virtual side.
   *
   * @returns undefined when it is no such packet
   */
  openOutward(flow: Flow, flags: number, bytes: number, nowMs: number): Verdict | undefined {
    const { locks, realServers, services } = this.#parts;
    if (flow.protocol !== PROTOCOL.udp || !realServers.mayCall) return undefined;
    const destination = realServers.find(flow);
    if (destination === 0) return undefined;
    const handle = this.#destinations[destination * DESTINATION_WORDS + DESTINATION.service] ?? 0;
    const slot = services.slotOf(handle);
    const base = slot * SERVICE_WORDS;
    const isCaller = slot !== 0 && this.#services[base + SERVICE.persistenceEngine] !== 0 &&
      this.#services[base + SERVICE.mark] === 0 && this.#services[base + SERVICE.port] !== 0;
    if (!isCaller) return undefined;
    locks.lock(this.#services, base + SERVICE.lock);
    try {
      if (services.slotOf(handle) !== slot) return undefined;
      return this.#adopt(flow, handle, slot, destination, flags, bytes, nowMs);
    } finally {
      locks.unlock(this.#services, base + SERVICE.lock);
    }
  }

  /** Makes the entry that a request of the client would have made, and lets the packet be its first answer. */
  #adopt(
    flow: Flow,
    handle: number,
    slot: number,
    destination: number,
    flags: number,
    bytes: number,
    nowMs: number,
  ): Verdict | undefined {
    const { answers, entries, scheduling, statistics, templates } = this.#parts;
    const base = slot * SERVICE_WORDS;
    const [address, port] = [flow.virtual.slice(), flow.virtualPort];
    for (let i = 0; i < 4; i++) flow.virtual[i] = this.#services[base + SERVICE.address + i] ?? 0;
    flow.virtualPort = this.#services[base + SERVICE.port] ?? 0;
    const reason = scheduling.adopt(flow, slot, destination, nowMs);
    const { template, destinationPort } = scheduling;
    const isOnePacket = this.#isOnePacket(flow, slot);
    const row = reason === DROP_REASON.none && !isOnePacket
      ? entries.create(flow, destination, destinationPort, template)
      : 0;
    if (reason === DROP_REASON.none && isOnePacket) {
      // Without an entry the flow itself has to say what the packet is translated to.
      if (template !== 0) templates.assure(template);
      this.#touch(destination, template);
    } else {
      flow.virtual.set(address);
      flow.virtualPort = port;
      if (row === 0) {
        if (template !== 0) templates.uncontrol(template);
        return undefined;
      }
      entries.move(row, true, flags, nowMs);
    }
    statistics.connection(slot, destination);
    statistics.output(slot, destination, flow.packets, bytes);
    const chosen = this.#destinations[destination * DESTINATION_WORDS + DESTINATION.handle] ?? 0;
    return answers.forward(flow, handle, chosen, row, destinationPort, true);
  }

  /** A new decision for the entry in `row`, made for the service in `slot`, without the failed destinations. */
  reopen(
    flow: Flow,
    row: number,
    slot: number,
    handle: number,
    failed: readonly number[],
    nowMs: number,
  ): Verdict {
    const { answers, entries, locks, scheduling, statistics } = this.#parts;
    const lock = slot * SERVICE_WORDS + SERVICE.lock;
    locks.lock(this.#services, lock);
    try {
      const reason = scheduling.choose(flow, slot, true, nowMs, failed);
      if (reason !== DROP_REASON.none) {
        return answers.refuse(flow, this.#actionFor(reason, flow, slot), reason, handle);
      }
      entries.rebind(row, scheduling.destination, scheduling.destinationPort, scheduling.template);
    } finally {
      locks.unlock(this.#services, lock);
    }
    // Only the destination counts it: for service and total it is the same connection as before.
    statistics.connection(0, scheduling.destination);
    const chosen = this.#destinations[scheduling.destination * DESTINATION_WORDS + DESTINATION.handle] ?? 0;
    return answers.forward(flow, handle, chosen, row, scheduling.destinationPort, false);
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
    const { answers, entries, table, scheduling, statistics, templates } = this.#parts;
    const isQuoted = flags === QUOTED;
    const reason = scheduling.choose(flow, slot, byListener, nowMs, undefined, isQuoted);
    if (reason !== DROP_REASON.none) {
      if (reason === DROP_REASON.noDestination && this.#mayBypass(flow, slot, flags)) {
        return this.#bypass(flow, handle, slot, flags, nowMs);
      }
      const action = this.#actionFor(reason, flow, slot);
      // No error answers an error.
      const isSilent = isQuoted && action === ACTION.reject;
      return answers.refuse(flow, isSilent ? ACTION.drop : action, reason, handle);
    }
    const { destination, destinationPort, template } = scheduling;
    let row = 0;
    if (this.#isOnePacket(flow, slot)) {
      this.#touch(destination, template);
      if (template !== 0) templates.countPacket(template);
    } else {
      row = entries.create(flow, destination, destinationPort, template);
      if (row === 0) {
        if (template !== 0) templates.uncontrol(template);
        return answers.refuse(flow, ACTION.drop, DROP_REASON.tableFull, handle);
      }
      // What an ICMP error quotes moves no state: the entry waits 3 s for a segment.
      if (isQuoted) entries.start(row, nowMs);
      else entries.move(row, false, flags, nowMs);
      table.words[row * ENTRY_WORDS + ENTRY.inPackets] = 1;
    }
    statistics.connection(slot, destination);
    statistics.input(slot, destination, flow.packets, bytes);
    const chosen = this.#destinations[destination * DESTINATION_WORDS + DESTINATION.handle] ?? 0;
    return answers.forward(flow, handle, chosen, row, destinationPort, true);
  }

  #isOnePacket(flow: Flow, slot: number): boolean {
    return flow.protocol === PROTOCOL.udp &&
      ((this.#services[slot * SERVICE_WORDS + SERVICE.flags] ?? 0) & SERVICE_FLAG.onePacket) !== 0;
  }

  /** `cache_bypass`: a transparent cache that is down must not cut its clients off. */
  #mayBypass(flow: Flow, slot: number, flags: number): boolean {
    const { isBypassed } = this.#parts;
    return this.#header[CACHE_BYPASS] !== 0 && isBypassed !== undefined && flags !== QUOTED &&
      this.#services[slot * SERVICE_WORDS + SERVICE.mark] !== 0 && isBypassed(flow);
  }

  /** An entry without a destination: the connection stays with its original address, whatever comes back later. */
  #bypass(flow: Flow, handle: number, slot: number, flags: number, nowMs: number): Verdict {
    const { answers, entries, table } = this.#parts;
    let row = 0;
    if (!this.#isOnePacket(flow, slot)) {
      row = entries.createBypass(flow);
      if (row === 0) return answers.refuse(flow, ACTION.drop, DROP_REASON.tableFull, handle);
      entries.move(row, false, flags, nowMs);
      table.words[row * ENTRY_WORDS + ENTRY.inPackets] = 1;
    }
    return answers.bypass(flow, handle, row, true);
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
}
