/**
 * The director: everything that IPVS decides, behind one class.
 *
 * @module
 */
import type { Translation } from "../modes/translation.ts";
import type { Family } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { Direction, Flow } from "../net/flow.ts";
import type { Random } from "../net/random.ts";
import { Changes } from "./changes.ts";
import { ConnectionTable } from "./connections.ts";
import { DestinationAddresses } from "./destination_addresses.ts";
import { DestinationChanges } from "./destination_changes.ts";
import type { Estimate } from "./estimator.ts";
import { adoptEntry, copyMemory, copyStore } from "./fork.ts";
import type { Locks } from "./locks.ts";
import { type DirectorOptions, makeParts } from "./parts.ts";
import { Recovery } from "./recovery.ts";
import { ServiceChanges } from "./service_changes.ts";
import type { ServiceTable } from "./services.ts";
import type { DestinationSpec, ServiceKey, ServiceSpec } from "./specs.ts";
import type { Counters, DropCounters } from "./statistics.ts";
import type { Store } from "./store.ts";
import { openSysctl, type Sysctl } from "./sysctl.ts";
import { Timekeeping } from "./timekeeping.ts";
import { readTimeouts, type Timeouts, writeTimeouts } from "./timeouts.ts";
import { Traffic } from "./traffic.ts";
import { findTunnel, readTranslation, type TranslationParts } from "./translations.ts";
import type { StreamPackets, TrafficEntrance, Verdict } from "./verdict.ts";
import {
  type ConnectionView,
  type DestinationView,
  type ServiceView,
  viewConnection,
  viewDestination,
  type ViewParts,
  viewService,
  viewTemplate,
} from "./views.ts";

export type { DirectorOptions } from "./parts.ts";

/**
 * One thread's director over a store. Times are the milliseconds of one monotonic clock, the same for all threads.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseEndpoint, isNamed } from "../net/endpoint.ts";
 * import { DIRECTION, Flow, PROTOCOL, TCP_FLAG } from "../net/flow.ts";
 * import { SeededRandom } from "../net/random.ts";
 * import { NO_DESTINATION, type Scheduler } from "../schedulers/scheduler.ts";
 * import { Store } from "./store.ts";
 * import { ACTION } from "./verdict.ts";
 *
 * const nothing = () => {};
 * const first: Scheduler = {
 *   name: "first", cellCount: 0, start: nothing, added: nothing, removing: nothing, removed: nothing, edited: nothing,
 *   pick: (_question, list) => list.size > 0 ? list.first : NO_DESTINATION,
 * };
 * const at = (text: string) => {
 *   const endpoint = parseEndpoint(text);
 *   assert.ok(!isNamed(endpoint));
 *   return endpoint;
 * };
 *
 * const director = new Director({
 *   store: Store.create({ capacities: { services: 4, destinations: 4 } }),
 *   random: new SeededRandom(1),
 *   findScheduler: (name) => name === "first" ? first : undefined,
 * });
 * const service = director.addService({ key: { protocol: PROTOCOL.tcp, ...at("10.0.0.1:80") }, scheduler: "first" }, 0);
 * const destination = director.addDestination(service, { ...at("10.1.0.1:8080"), method: "nat", weight: 1 }, 0);
 *
 * const flow = Flow.between(PROTOCOL.tcp, at("192.0.2.7:40000"), at("10.0.0.1:80"));
 * const verdict = director.segment(flow, DIRECTION.input, TCP_FLAG.syn, 60, 0);
 * assert.equal(verdict.action, ACTION.forward);
 * assert.equal(verdict.destination, destination);
 * assert.equal(verdict.destinationPort, 8080);
 * assert.equal(director.destinationViews(service)[0]?.activeConns, 1);
 * ```
 */
export class Director implements TrafficEntrance, StreamPackets {
  readonly store: Store;
  /** The switches of `net.ipv4.vs.*`, by their kernel names. */
  readonly sysctl: Sysctl;
  readonly #options: DirectorOptions;
  readonly #locks: Locks;
  readonly #changes: Changes;
  readonly #serviceChanges: ServiceChanges;
  readonly #destinationChanges: DestinationChanges;
  readonly #recovery: Recovery;
  readonly #traffic: Traffic;
  readonly #timekeeping: Timekeeping;
  readonly #services: ServiceTable;
  readonly #views: ViewParts;
  readonly #translations: TranslationParts;
  /** Connection tables of other threads, by worker. */
  readonly #otherTables = new Map<number, ConnectionTable>();
  readonly #addresses: DestinationAddresses;

  constructor(options: DirectorOptions) {
    const parts = makeParts(options);
    const { store, services, trash, estimator, templates, locks } = parts;
    this.#options = options;
    this.#locks = locks;
    this.store = store;
    this.#services = services;
    this.#views = parts;
    this.#translations = parts;
    this.#addresses = new DestinationAddresses(store, parts.destinations);
    this.sysctl = openSysctl(store.header, (name, value) => {
      store.changed();
      parts.defence.look();
      options.onSwitch?.(name, value);
    });
    this.#changes = new Changes(parts);
    this.#destinationChanges = new DestinationChanges(parts, this.#changes, trash, estimator);
    this.#serviceChanges = new ServiceChanges(parts, this.#changes, this.#destinationChanges, estimator);
    this.#recovery = new Recovery(parts, this.#changes, templates);
    this.#traffic = new Traffic(parts);
    this.#timekeeping = new Timekeeping({
      store,
      table: parts.table,
      templates,
      entries: parts.entries,
      locks,
      defence: parts.defence,
      slow: (options.workerIndex ?? 0) === 0 ? { trash, estimator } : undefined,
    });
  }

  segment(flow: Flow, direction: Direction, flags: number, bytes: number, nowMs: number): Verdict {
    return this.#traffic.segment(flow, direction, flags, bytes, nowMs);
  }

  /**
   * Decides an ICMP error about a connection; `flow` holds the two sides of the packet that it quotes. It goes where the
   * connection goes and is counted there, but moves no state. Without a connection `schedule_icmp` may make one.
   */
  related(flow: Flow, direction: Direction, bytes: number, nowMs: number): Verdict {
    return this.#traffic.related(flow, direction, bytes, nowMs);
  }

  /** How packets of a flow are changed that `verdict`, the answer of this moment, forwards. */
  readTranslation(flow: Flow, verdict: Verdict, into: Translation): void {
    readTranslation(this.#translations, flow, verdict, into);
  }

  /** See the function of this name. */
  findTunnel(family: Family, address: Uint32Array, type: number, port: number): number {
    return findTunnel(this.#translations, family, address, type, port);
  }

  reschedule(flow: Flow, failed: readonly number[], nowMs: number): Verdict {
    return this.#traffic.reschedule(flow, failed, nowMs);
  }

  countPackets(flow: Flow, input: number, output: number): void {
    this.#traffic.countPackets(flow, input, output);
  }

  forget(flow: Flow, nowMs: number): void {
    this.#traffic.forget(flow, nowMs);
  }

  destinationAddress(destination: number): { readonly host: string; readonly family: 4 | 6 } {
    return this.#addresses.of(destination);
  }

  /** Fires what is due by `nowMs`: entries, templates, the trash. */
  advance(nowMs: number): void {
    this.#timekeeping.advance(nowMs);
  }

  /** @throws {DirectorError} `EEXIST`, `ENOENT` (no such scheduler), `EINVAL`, `ENOMEM` */
  addService(spec: ServiceSpec, _nowMs: number): number {
    return this.#serviceChanges.add(spec);
  }

  /** Scheduler, flags and persistence are replaced as a whole. @throws {DirectorError} `ESRCH`, `ENOENT`, `EINVAL` */
  editService(service: number, spec: ServiceSpec, _nowMs: number): void {
    this.#serviceChanges.edit(service, spec);
  }

  /** Its connections stay in the table, its destinations go to the trash. @throws {DirectorError} `ESRCH` */
  deleteService(service: number, nowMs: number): void {
    this.#serviceChanges.delete(service, nowMs);
  }

  /** Puts a destination at the head of the list. @throws {DirectorError} `ESRCH`, `EEXIST`, `ERANGE`, `EINVAL`, `ENOMEM` */
  addDestination(service: number, spec: DestinationSpec, _nowMs: number): number {
    return this.#destinationChanges.add(service, spec);
  }

  /** Method, weights and thresholds are replaced as a whole. @throws {DirectorError} `ENOENT`, `ERANGE`, `EINVAL` */
  editDestination(destination: number, spec: DestinationSpec, _nowMs: number): void {
    this.#destinationChanges.edit(destination, spec);
  }

  /** Its connections hang until it comes back or they time out. @throws {DirectorError} `ENOENT` */
  deleteDestination(destination: number, nowMs: number): void {
    this.#destinationChanges.delete(destination, nowMs);
  }

  /** Changes the weight in force only; the configured one stays. @throws {DirectorError} `ENOENT`, `ERANGE` */
  setWeight(destination: number, effectiveWeight: number, _nowMs: number): void {
    this.#destinationChanges.setWeight(destination, effectiveWeight);
  }

  /** Puts the list into this order, head first. @throws {DirectorError} `ESRCH`, `EINVAL` */
  orderDestinations(service: number, destinations: readonly number[], _nowMs: number): void {
    this.#destinationChanges.order(service, destinations);
  }

  /** Whether there is a service of the family: the kernel has no hooks without one (`ip_vs_unregister_hooks`). */
  directs(family: Family): boolean {
    return this.#services.has(family);
  }

  /** Handle of the service with exactly this key. */
  findService(key: ServiceKey): number | undefined {
    return this.#services.find(key) || undefined;
  }

  /** Handle of the service that a flow is for, 0 for none: by mark, then by address. */
  serviceOf(flow: Flow): number {
    return this.#services.lookup(flow);
  }

  /** Handle of the service's destination with this address and port. @throws {DirectorError} `ESRCH` */
  findDestination(service: number, endpoint: Endpoint): number | undefined {
    return this.#views.destinations.find(this.#changes.service(service), endpoint) || undefined;
  }

  get timeouts(): Timeouts {
    return readTimeouts(this.store.times);
  }

  /** `ipvsadm --set`: what is absent or 0 stays. @throws {DirectorError} `EINVAL` */
  setTimeouts(timeouts: { readonly [name in keyof Timeouts]?: number | undefined }): void {
    writeTimeouts(this.store.times, timeouts);
    this.store.changed();
  }

  /** Lets the numbers of a service and its destinations, or all numbers, begin at 0 again (`-Z`). */
  zeroStatistics(service?: number): void {
    const { estimator, destinations } = this.#views;
    const slots = service === undefined ? [...this.#services.slots()] : [this.#changes.service(service)];
    for (const slot of slots) {
      estimator.zeroService(slot);
      for (const handle of destinations.ofService(slot)) {
        estimator.zeroDestination(destinations.slotOf(handle));
      }
    }
    if (service === undefined) estimator.zeroTotal();
  }

  /** @throws {DirectorError} `ESRCH` */
  serviceView(service: number): ServiceView {
    return viewService(this.#views, this.#changes.service(service));
  }

  /** All services in order of addition. */
  services(): ServiceView[] {
    return [...this.#services.slots()].map((slot) => viewService(this.#views, slot));
  }

  /** A destination, in the trash or not. @throws {DirectorError} `ENOENT` */
  destinationView(destination: number): DestinationView {
    const slot = this.#views.destinations.slotOf(destination);
    return viewDestination(
      this.#views,
      slot === 0 ? this.#changes.destination(destination).row : slot,
    );
  }

  /** Destinations of a service in list order, newest first. @throws {DirectorError} `ESRCH` */
  destinationViews(service: number): DestinationView[] {
    const { destinations } = this.#views;
    return [...destinations.ofService(this.#changes.service(service))]
      .map((handle) => viewDestination(this.#views, destinations.slotOf(handle)));
  }

  /** Entries of this thread and of those attached, then the templates of all threads. */
  *connections(): Generator<ConnectionView> {
    const nowMs = this.#lastMs;
    for (const table of [this.#views.table, ...this.#otherTables.values()]) {
      yield* this.#entriesOf(table, nowMs);
    }
    for (const row of this.#views.templates.rows()) yield viewTemplate(this.#views, row, nowMs);
  }

  /** Entries of this thread. */
  ownConnections(): Generator<ConnectionView> {
    return this.#entriesOf(this.#views.table, this.#lastMs);
  }

  *#entriesOf(table: ConnectionTable, nowMs: number): Generator<ConnectionView> {
    const views = { ...this.#views, table };
    for (const row of table.rows()) yield viewConnection(views, row, nowMs);
  }

  /** Entries in this thread's table, ended ones included, templates not. */
  get ownConnectionCount(): number {
    return this.#views.table.count;
  }

  /** Entries in the tables of this thread and of those attached, ended ones included, templates not. */
  get connectionCount(): number {
    let count = this.#views.table.count;
    for (const table of this.#otherTables.values()) count += table.count;
    return count;
  }

  /**
   * Lists and counts another thread's connections with this one's own from now on. That thread goes on changing them: an entry
   * that comes or goes meanwhile may be shown half.
   *
   * @param connections its `connectionMemory`; undefined when it is no more
   */
  attachConnections(worker: number, connections: ArrayBufferLike | undefined): void {
    if (connections === undefined) this.#otherTables.delete(worker);
    else this.#otherTables.set(worker, ConnectionTable.attach(this.store, connections));
  }

  /** Templates whose time was up in this thread so far: each ended, or was prolonged. */
  get templatesFired(): number {
    return this.#views.templates.fired;
  }

  /** Persistence templates of all threads. */
  get templateCount(): number {
    return this.#views.templates.count;
  }

  /** Sums over all services of all threads, those deleted since included. */
  totals(): Counters {
    return this.#views.statistics.total();
  }

  /** The same as `ipvsadm` would show it: counters as of the last reading, every 2 s, and rates. */
  get estimate(): Estimate {
    return this.#views.estimator.total();
  }

  /** Segments not forwarded, by reason, of all threads. */
  get drops(): DropCounters {
    return this.#views.statistics.drops;
  }

  /**
   * A director of its own over a copy of everything as it is now, for questions: what is asked of it changes nothing here.
   * It knows the connections of this thread, and the one that is asked about from whatever thread holds it. Costs a copy of the
   * store, some 40 MB at the default capacities.
   *
   * @param about a packet's flow: a client's, or a real server's with its sides taken likewise, sender first
   */
  fork(random: Random, about?: Flow): Director {
    const { findScheduler } = this.#options;
    const store = copyStore(this.store, this.#services, this.#locks);
    const connectionMemory = copyMemory(this.connectionMemory);
    const copy = new Director({ store, random, findScheduler, connectionMemory });
    if (about !== undefined) {
      adoptEntry(copy.#views.table, this.#otherTables.values(), about, this.#lastMs);
    }
    return copy;
  }

  get #lastMs(): number {
    return Math.max(this.#traffic.lastMs, this.#timekeeping.lastMs);
  }

  /** Number of changes so far; a worker that has seen it has seen them. */
  get generation(): number {
    return this.store.generation;
  }

  /** This thread's connection table, shared if the store is; another thread hands it to {@linkcode recoverWorker}. */
  get connectionMemory(): ArrayBufferLike {
    return this.#views.table.buffer;
  }

  /**
   * Cleans up after a worker that is known to be dead: frees its locks, starts the schedulers of the services it was
   * deciding for anew, and takes its connections out of ActiveConn, InActConn and the templates.
   *
   * @param connections the dead worker's `connectionMemory`
   * @returns handles of the services it had locked, and how many connections were lost with it
   */
  recoverWorker(
    workerIndex: number,
    connections: ArrayBufferLike,
  ): { services: number[]; connections: number } {
    const services = this.#recovery.breakLocks(workerIndex);
    return { services, connections: this.#recovery.releaseConnections(connections) };
  }
}
