/**
 * What the control plane changes: services and destinations, one change at a time.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { BoundSchedulers } from "./bound_schedulers.ts";
import type { StoredDestinationList } from "./destination_list.ts";
import { type DestinationTable, validateDestination, validateWeight } from "./destinations.ts";
import { DESTINATION, DESTINATION_WORDS, HEADER, SERVICE, SERVICE_WORDS } from "./layout.ts";
import { breakLock, type Locks } from "./locks.ts";
import { keyText, type ServiceTable } from "./services.ts";
import type { DestinationSpec, ServiceKey, ServiceSpec } from "./specs.ts";
import type { Statistics } from "./statistics.ts";
import { addressText, type Store } from "./store.ts";
import { sysctlIndex } from "./sysctl.ts";
import type { Trash } from "./trash.ts";

const EXPIRE_NODEST_CONN = sysctlIndex("expire_nodest_conn");

/** What a change touches. */
export interface AdministrationParts {
  readonly store: Store;
  readonly services: ServiceTable;
  readonly destinations: DestinationTable;
  readonly schedulers: BoundSchedulers;
  readonly list: StoredDestinationList;
  readonly trash: Trash;
  readonly statistics: Statistics;
  readonly locks: Locks;
}

/** Changes of services and destinations, each under the lock of its service and each raising the generation. */
export class Administration {
  readonly #parts: AdministrationParts;

  constructor(parts: AdministrationParts) {
    this.#parts = parts;
  }

  addService(spec: ServiceSpec): number {
    const { store, services, schedulers, statistics } = this.#parts;
    validateService(spec);
    schedulers.require(spec.scheduler);
    return this.#control(() => {
      const slot = services.add(spec);
      try {
        schedulers.bind(slot, spec.scheduler);
      } catch (error) {
        services.remove(slot);
        throw error;
      }
      this.#start(slot);
      statistics.zeroService(slot);
      return store.services[slot * SERVICE_WORDS + SERVICE.handle] ?? 0;
    });
  }

  editService(service: number, spec: ServiceSpec): void {
    const { services, schedulers } = this.#parts;
    const slot = this.service(service);
    validateService(spec);
    schedulers.require(spec.scheduler);
    if (services.find(spec.key) !== service) {
      throw new DirectorError(
        "EINVAL",
        `${keyText(spec.key)} is not the key of this service; a key cannot be edited`,
      );
    }
    this.#change(slot, () => {
      // The same scheduler keeps what it remembers.
      if (schedulers.name(slot) !== spec.scheduler) {
        schedulers.bind(slot, spec.scheduler);
        this.#start(slot);
      }
      services.write(slot, spec);
    });
  }

  deleteService(service: number, nowMs: number): void {
    const { services, destinations, schedulers } = this.#parts;
    const slot = this.service(service);
    this.#change(slot, () => {
      for (const handle of destinations.ofService(slot)) {
        this.#discard(destinations.slotOf(handle), slot, nowMs, false);
      }
      schedulers.unbind(slot);
      services.remove(slot);
    });
  }

  addDestination(service: number, spec: DestinationSpec): number {
    const { store, destinations, trash, statistics } = this.#parts;
    const slot = this.service(service);
    validateDestination(spec, store.services[slot * SERVICE_WORDS + SERVICE.family] ?? 0);
    if (destinations.find(slot, spec) !== 0) {
      throw new DirectorError(
        "EEXIST",
        `destination ${spec.address}:${spec.port} already exists in this service`,
      );
    }
    return this.#change(slot, () => {
      let row = trash.revive(slot, spec);
      if (row === 0) {
        row = this.#take(spec);
        statistics.zeroDestination(row);
      } else if (store.destinations[row * DESTINATION_WORDS + DESTINATION.service] !== service) {
        // Its service was deleted and made anew: connections live on, numbers begin again.
        statistics.zeroDestination(row);
      }
      destinations.bindService(row, slot);
      destinations.write(row, spec, true);
      destinations.linkFirst(row, slot);
      const handle = store.destinations[row * DESTINATION_WORDS + DESTINATION.handle] ?? 0;
      this.#tell(slot, "added", handle);
      return handle;
    });
  }

  editDestination(destination: number, spec: DestinationSpec): void {
    const { store, destinations } = this.#parts;
    const { row, service } = this.destination(destination);
    validateDestination(spec, store.services[service * SERVICE_WORDS + SERVICE.family] ?? 0);
    if (!destinations.hasEndpoint(row * DESTINATION_WORDS, spec)) {
      throw new DirectorError(
        "EINVAL",
        `${spec.address}:${spec.port} is not the address of ${
          this.#text(row)
        }; add it as a destination of its own`,
      );
    }
    this.#change(service, () => {
      destinations.write(row, spec, false);
      this.#tell(service, "edited", destination);
    });
  }

  deleteDestination(destination: number, nowMs: number): void {
    const { row, service } = this.destination(destination);
    this.#change(service, () => this.#discard(row, service, nowMs, true));
  }

  setWeight(destination: number, effectiveWeight: number): void {
    const { destinations } = this.#parts;
    const { row, service } = this.destination(destination);
    validateWeight(effectiveWeight, `destination ${this.#text(row)}`);
    this.#change(service, () => {
      destinations.writeWeight(row, effectiveWeight, false);
      this.#tell(service, "edited", destination);
    });
  }

  orderDestinations(service: number, wanted: readonly number[]): void {
    const { destinations } = this.#parts;
    const slot = this.service(service);
    const current = [...destinations.ofService(slot)];
    if (wanted.length !== current.length || new Set([...wanted, ...current]).size !== current.length) {
      throw new DirectorError(
        "EINVAL",
        `an order names every destination of the service once: ${current.length}, not ${wanted.length}`,
      );
    }
    if (wanted.every((handle, i) => handle === current[i])) return;
    this.#change(slot, () => {
      for (const handle of current) destinations.unlink(destinations.slotOf(handle), slot);
      for (const handle of wanted.toReversed()) destinations.linkFirst(destinations.slotOf(handle), slot);
      this.#tell(slot, "edited", 0);
    });
  }

  findService(key: ServiceKey): number | undefined {
    const handle = this.#parts.services.find(key);
    return handle === 0 ? undefined : handle;
  }

  findDestination(service: number, endpoint: Endpoint): number | undefined {
    const handle = this.#parts.destinations.find(this.service(service), endpoint);
    return handle === 0 ? undefined : handle;
  }

  /** See {@linkcode Director.breakLocks}. `owner` is the lock owner's number, not the worker's. */
  breakLocks(owner: number): number[] {
    const { store, services } = this.#parts;
    breakLock(store.header, HEADER.templateLock, owner);
    const broken: number[] = [];
    for (const slot of services.slots()) {
      if (!breakLock(store.services, slot * SERVICE_WORDS + SERVICE.lock, owner)) continue;
      broken.push(store.services[slot * SERVICE_WORDS + SERVICE.handle] ?? 0);
      this.#change(slot, () => this.#start(slot));
    }
    return broken;
  }

  /** Row of a service. @throws {DirectorError} `ESRCH` */
  service(handle: number): number {
    const slot = this.#parts.services.slotOf(handle);
    if (slot === 0) {
      throw new DirectorError("ESRCH", `there is no virtual service with handle ${handle}; it was deleted`, {
        handle,
      });
    }
    return slot;
  }

  /** Row of a destination in a service's list, and its service's row. @throws {DirectorError} `ENOENT` */
  destination(handle: number): { row: number; service: number } {
    const { store, services, destinations } = this.#parts;
    const row = destinations.slotOf(handle);
    const base = row * DESTINATION_WORDS;
    const service = services.slotOf(store.destinations[base + DESTINATION.service] ?? 0);
    if (row === 0 || service === 0 || store.destinations[base + DESTINATION.available] !== 1) {
      throw new DirectorError("ENOENT", `there is no destination with handle ${handle}; it was deleted`, {
        handle,
      });
    }
    return { row, service };
  }

  /** A fresh row, if need be one whose trash time is cut short. */
  #take(spec: Endpoint): number {
    const { store, destinations, trash } = this.#parts;
    const row = destinations.take(spec) || (trash.reclaim() ? destinations.take(spec) : 0);
    if (row === 0) {
      const limit = store.capacities.destinations;
      throw new DirectorError("ENOMEM", `there is room for ${limit} destinations and all are taken`, {
        limit,
      });
    }
    return row;
  }

  /** Out of the list, into the trash. */
  #discard(row: number, service: number, nowMs: number, tellScheduler: boolean): void {
    const { store, destinations, trash } = this.#parts;
    const handle = store.destinations[row * DESTINATION_WORDS + DESTINATION.handle] ?? 0;
    store.destinations[row * DESTINATION_WORDS + DESTINATION.available] = 0;
    if (tellScheduler) this.#tell(service, "removing", handle);
    destinations.unlink(row, service);
    if (tellScheduler) this.#tell(service, "removed", handle);
    trash.put(row, nowMs);
    if (store.header[EXPIRE_NODEST_CONN] !== 0) Atomics.add(store.header, HEADER.sweep, 1);
  }

  #start(slot: number): void {
    const { schedulers, list } = this.#parts;
    const bound = schedulers.of(slot);
    bound?.scheduler.start(list.use(slot), bound.cells);
  }

  #tell(service: number, what: "added" | "removing" | "removed" | "edited", destination: number): void {
    const { schedulers, list } = this.#parts;
    const bound = schedulers.of(service);
    if (bound !== undefined) bound.scheduler[what](list.use(service), bound.cells, destination);
  }

  #text(row: number): string {
    const { destinations } = this.#parts.store;
    const base = row * DESTINATION_WORDS;
    const address = addressText(
      destinations[base + DESTINATION.family] ?? 4,
      destinations,
      base + DESTINATION.address,
    );
    return `${address}:${destinations[base + DESTINATION.port]}`;
  }

  #change<T>(service: number, run: () => T): T {
    const { store, locks } = this.#parts;
    return this.#control(() => {
      const lock = service * SERVICE_WORDS + SERVICE.lock;
      locks.lock(store.services, lock);
      try {
        return run();
      } finally {
        locks.unlock(store.services, lock);
      }
    });
  }

  #control<T>(run: () => T): T {
    const { store, locks } = this.#parts;
    locks.lock(store.header, HEADER.controlLock);
    try {
      const outcome = run();
      store.changed();
      return outcome;
    } finally {
      locks.unlock(store.header, HEADER.controlLock);
    }
  }
}

/** @throws {DirectorError} `EINVAL` */
function validateService(spec: ServiceSpec): void {
  const { key, persistence } = spec;
  const name = keyText(key);
  const isRange = (value: number, min: number, max: number) =>
    Number.isInteger(value) && value >= min && value <= max;
  if ("mark" in key ? !isRange(key.mark, 1, 2 ** 32 - 1) : !isRange(key.port, 0, 65_535)) {
    throw new DirectorError("EINVAL", `${name}: a mark is 1 to 4294967295, a port 0 to 65535`);
  }
  if (persistence === undefined) return;
  if (!(persistence.timeoutMs > 0 && Number.isFinite(persistence.timeoutMs))) {
    throw new DirectorError(
      "EINVAL",
      `${name}: persistence time-out ${persistence.timeoutMs} ms is not above 0`,
    );
  }
  const family = "mark" in key ? key.family : key.address.family;
  if ("prefixLength" in persistence) {
    const [min, max] = family === 6 ? [1, 128] : [0, 32];
    if (!isRange(persistence.prefixLength, min ?? 0, max ?? 0)) {
      throw new DirectorError(
        "EINVAL",
        `${name}: persistence prefix length is ${min} to ${max} for IPv${family}`,
      );
    }
  } else if (family === 6) {
    throw new DirectorError("EINVAL", `${name}: IPv6 persistence takes a prefix length, not a netmask`);
  }
}
