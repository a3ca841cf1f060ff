/**
 * The decision for one new connection: by its persistence template, or by the scheduler.
 *
 * @module
 */
import type { Flow } from "../net/flow.ts";
import type { Random } from "../net/random.ts";
import { NO_DESTINATION, type Question } from "../schedulers/scheduler.ts";
import type { BoundSchedulers } from "./bound_schedulers.ts";
import type { StoredDestinationList } from "./destination_list.ts";
import type { DestinationTable } from "./destinations.ts";
import { DESTINATION, DESTINATION_WORDS, HEADER, SERVICE, SERVICE_FLAG, SERVICE_WORDS } from "./layout.ts";
import type { Locks } from "./locks.ts";
import { engineData } from "./persistence_engines.ts";
import type { Store } from "./store.ts";
import { sysctlIndex } from "./sysctl.ts";
import { TemplateKey, type TemplateTable } from "./templates.ts";
import { DROP_REASON, type DropReason } from "./verdict.ts";

const FTP_PORT = 21;
const EXPIRE_QUIESCENT_TEMPLATE = sysctlIndex("expire_quiescent_template");
const LBLC_EXPIRATION = sysctlIndex("lblc_expiration");
const LBLCR_EXPIRATION = sysctlIndex("lblcr_expiration");
const NOTHING_MASKED: readonly number[] = [];

class ReusedQuestion implements Question {
  readonly #header: Int32Array;
  flow: Flow;
  flags = 0;
  inverse = false;

  constructor(header: Int32Array, flow: Flow) {
    this.#header = header;
    this.flow = flow;
  }

  // Switches are read when a scheduler asks: most never do.
  get lblcExpirationMs(): number {
    return (this.#header[LBLC_EXPIRATION] ?? 0) * 1_000;
  }

  get lblcrExpirationMs(): number {
    return (this.#header[LBLCR_EXPIRATION] ?? 0) * 1_000;
  }
}

/** What a scheduling thread works with. */
export interface SchedulingParts {
  readonly store: Store;
  readonly destinations: DestinationTable;
  readonly templates: TemplateTable;
  readonly schedulers: BoundSchedulers;
  readonly list: StoredDestinationList;
  readonly locks: Locks;
  readonly random: Random;
}

/** Decides under the service's lock, and leaves the outcome in its fields: read them before deciding again. */
export class Scheduling {
  /** Row of the chosen destination. */
  destination = 0;
  /** Port at the destination. */
  destinationPort = 0;
  /** Row of the template that the connection hangs on (it is counted there already), 0 for none. */
  template = 0;
  readonly #parts: SchedulingParts;
  readonly #services: Int32Array;
  readonly #words: Int32Array;
  readonly #key = new TemplateKey();
  #question: ReusedQuestion | undefined;
  /** What is decided about was quoted by an ICMP error. */
  #inverse = false;

  constructor(parts: SchedulingParts) {
    this.#parts = parts;
    this.#services = parts.store.services;
    this.#words = parts.store.destinations;
  }

  /**
   * Chooses a destination for the flow.
   *
   * @param service row of the service
   * @param byListener the service was given with the flow, not looked up: its listener has settled which port it is
   * @param masked handles that look overloaded and whose templates do not count
   * @param inverse an ICMP error quoted the flow's packet, which came from the virtual side
   * @returns `none`, or why there is no destination
   */
  choose(
    flow: Flow,
    service: number,
    byListener: boolean,
    nowMs: number,
    masked: readonly number[] = NOTHING_MASKED,
    inverse = false,
  ): DropReason {
    this.#inverse = inverse;
    const base = service * SERVICE_WORDS;
    const port = this.#services[base + SERVICE.port] ?? 0;
    const mark = this.#services[base + SERVICE.mark] ?? 0;
    const ownPort = mark === 0 && (byListener || flow.virtualPort === port);
    this.template = 0;
    if (((this.#services[base + SERVICE.flags] ?? 0) & SERVICE_FLAG.persistent) !== 0) {
      return this.#persist(flow, service, ownPort, nowMs, masked);
    }
    // Ports beside the service's own work for persistent services only.
    if (mark === 0 && !ownPort) return DROP_REASON.noDestination;
    if (!this.#pick(flow, service, nowMs, masked)) return DROP_REASON.noDestination;
    const own = this.#words[this.destination * DESTINATION_WORDS + DESTINATION.port] ?? 0;
    this.destinationPort = own === 0 ? flow.virtualPort : own;
    return DROP_REASON.none;
  }

  /**
   * A real server opens the connection itself (`ip_vs_new_conn_out`): no scheduler is asked, and a template of its data that
   * leads to another server gives way.
   */
  adopt(flow: Flow, service: number, destination: number, nowMs: number): DropReason {
    const { store, templates, locks } = this.#parts;
    const own = this.#words[destination * DESTINATION_WORDS + DESTINATION.port] ?? 0;
    this.template = 0;
    this.destinationPort = own;
    const isPersistent = (this.#services[service * SERVICE_WORDS + SERVICE.flags] ?? 0) &
      SERVICE_FLAG.persistent;
    if (isPersistent !== 0 && !this.#fillKey(flow, service, true)) return DROP_REASON.persistenceEngine;
    if (isPersistent !== 0) {
      locks.lock(store.header, HEADER.templateLock);
      try {
        let row = templates.find(this.#key, nowMs);
        if (row !== 0 && (!this.#isValid(row) || this.destination !== destination)) {
          templates.invalidate(row);
          row = 0;
        }
        if (row === 0) {
          row = templates.add(this.#key, destination, own, store.serviceTimes[service] ?? 0, nowMs);
        }
        if (row === 0) return DROP_REASON.tableFull;
        templates.control(row, nowMs);
        this.template = row;
      } finally {
        locks.unlock(store.header, HEADER.templateLock);
      }
    }
    this.destination = destination;
    return DROP_REASON.none;
  }

  #pick(flow: Flow, service: number, nowMs: number, masked: readonly number[]): boolean {
    const { schedulers, list, random, destinations } = this.#parts;
    const bound = schedulers.of(service);
    if (bound === undefined) return false;
    const question = this.#question ??= new ReusedQuestion(this.#parts.store.header, flow);
    question.flow = flow;
    question.inverse = this.#inverse;
    question.flags = this.#services[service * SERVICE_WORDS + SERVICE.flags] ?? 0;
    const handle = bound.scheduler.pick(question, list.use(service, masked), bound.cells, nowMs, random);
    // lblc stays with a server that looks overloaded: after a failure of that server it has no other.
    if (handle === NO_DESTINATION || (masked.length > 0 && masked.includes(handle))) return false;
    this.destination = destinations.slotOf(handle);
    return this.destination !== 0;
  }

  #persist(
    flow: Flow,
    service: number,
    ownPort: boolean,
    nowMs: number,
    masked: readonly number[],
  ): DropReason {
    const { store, templates, locks } = this.#parts;
    if (!this.#fillKey(flow, service, ownPort)) return DROP_REASON.persistenceEngine;
    locks.lock(store.header, HEADER.templateLock);
    try {
      let row = templates.find(this.#key, nowMs);
      let failed = 0;
      if (row !== 0 && masked.length > 0 && masked.includes(templates.destination(row))) {
        // A client leaves a destination that did not answer only for one that there is.
        failed = row;
        row = 0;
      } else if (row !== 0 && !this.#isValid(row)) {
        templates.invalidate(row);
        row = 0;
      }
      if (row === 0) {
        if (!this.#pick(flow, service, nowMs, masked)) return DROP_REASON.noDestination;
        if (failed !== 0) templates.invalidate(failed);
        const own = this.#words[this.destination * DESTINATION_WORDS + DESTINATION.port] ?? 0;
        const templatePort = this.#key.virtualPort === 0 ? 0 : own;
        row = templates.add(
          this.#key,
          this.destination,
          templatePort,
          store.serviceTimes[service] ?? 0,
          nowMs,
        );
        if (row === 0) return DROP_REASON.tableFull;
      }
      templates.control(row, nowMs);
      this.template = row;
    } finally {
      locks.unlock(store.header, HEADER.templateLock);
    }
    const own = this.#words[this.destination * DESTINATION_WORDS + DESTINATION.port] ?? 0;
    this.destinationPort = ownPort && own !== 0 ? own : flow.virtualPort;
    return DROP_REASON.none;
  }

  /** Takes over a template's destination if that still may get connections. */
  #isValid(row: number): boolean {
    const { store, destinations, templates } = this.#parts;
    const slot = destinations.slotOf(templates.destination(row));
    const base = slot * DESTINATION_WORDS;
    if (slot === 0 || this.#words[base + DESTINATION.available] !== 1) return false;
    if (store.header[EXPIRE_QUIESCENT_TEMPLATE] !== 0 && this.#words[base + DESTINATION.weight] === 0) {
      return false;
    }
    this.destination = slot;
    return true;
  }

  /** False when the service's persistence engine cannot read the packet. */
  #fillKey(flow: Flow, service: number, ownPort: boolean): boolean {
    const base = service * SERVICE_WORDS;
    const services = this.#services;
    const key = this.#key;
    const mark = services[base + SERVICE.mark] ?? 0;
    const port = services[base + SERVICE.port] ?? 0;
    key.family = flow.family;
    for (let i = 0; i < 4; i++) {
      key.client[i] = (flow.client[i] ?? 0) & (services[base + SERVICE.mask + i] ?? 0);
      key.virtual[i] = mark !== 0 ? (i === 0 ? mark : 0) : flow.virtual[i] ?? 0;
    }
    key.protocol = mark !== 0 ? 0 : flow.protocol;
    key.virtualPort = ownPort && port !== FTP_PORT ? port : 0;
    key.engine = services[base + SERVICE.persistenceEngine] ?? 0;
    if (key.engine === 0) return true;
    const data = engineData(flow);
    if (data === undefined) return false;
    key.data = data;
    return true;
  }
}
