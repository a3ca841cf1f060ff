/**
 * How the control plane changes the store: one change at a time, under the lock of the service it is about, and each
 * raises the generation.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import type { BoundSchedulers } from "./bound_schedulers.ts";
import type { StoredDestinationList } from "./destination_list.ts";
import type { DestinationTable } from "./destinations.ts";
import { DESTINATION, DESTINATION_WORDS, HEADER, SERVICE, SERVICE_WORDS } from "./layout.ts";
import type { Locks } from "./locks.ts";
import type { ServiceTable } from "./services.ts";
import type { Store } from "./store.ts";

/** What a change needs at hand. */
export interface ChangeParts {
  readonly store: Store;
  readonly services: ServiceTable;
  readonly destinations: DestinationTable;
  readonly schedulers: BoundSchedulers;
  readonly list: StoredDestinationList;
  readonly locks: Locks;
}

/** What a scheduler is told about its destinations. */
export type News = "added" | "removing" | "removed" | "edited";

/** The ground that changes of services and of destinations stand on. */
export class Changes {
  readonly #parts: ChangeParts;

  constructor(parts: ChangeParts) {
    this.#parts = parts;
  }

  /** Runs a change; nobody else changes anything meanwhile. */
  run<T>(change: () => T): T {
    const { store, locks } = this.#parts;
    locks.lock(store.header, HEADER.controlLock);
    try {
      const outcome = change();
      store.changed();
      return outcome;
    } finally {
      locks.unlock(store.header, HEADER.controlLock);
    }
  }

  /** Runs a change of one service, given by its row; no decision of that service is made meanwhile. */
  runInService<T>(service: number, change: () => T): T {
    const { store, locks } = this.#parts;
    return this.run(() => {
      const lock = service * SERVICE_WORDS + SERVICE.lock;
      locks.lock(store.services, lock);
      try {
        return change();
      } finally {
        locks.unlock(store.services, lock);
      }
    });
  }

  /** Lets a service's scheduler build its cells from the list as it is. */
  startScheduler(service: number): void {
    const { schedulers, list } = this.#parts;
    const bound = schedulers.of(service);
    bound?.scheduler.start(list.use(service), bound.cells);
  }

  /** Tells a service's scheduler what happened to a destination (its handle). */
  tell(service: number, news: News, destination: number): void {
    const { schedulers, list } = this.#parts;
    const bound = schedulers.of(service);
    if (bound !== undefined) bound.scheduler[news](list.use(service), bound.cells, destination);
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

  /** Rows of a destination in a service's list, and of that service. @throws {DirectorError} `ENOENT` */
  destination(handle: number): { readonly row: number; readonly service: number } {
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
}
