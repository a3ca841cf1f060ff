/**
 * What is done after a worker died: its locks are freed, its connections taken out of the counters.
 *
 * @module
 */
import type { ChangeParts, Changes } from "./changes.ts";
import { ConnectionTable } from "./connections.ts";
import { Entries } from "./entries.ts";
import { workerBit } from "./defence.ts";
import { HEADER, SERVICE, SERVICE_WORDS } from "./layout.ts";
import { breakLock, ownerOf } from "./locks.ts";
import type { TemplateTable } from "./templates.ts";

/** Cleans up after the dead. */
export class Recovery {
  readonly #parts: ChangeParts;
  readonly #changes: Changes;
  readonly #templates: TemplateTable;

  constructor(parts: ChangeParts, changes: Changes, templates: TemplateTable) {
    this.#parts = parts;
    this.#changes = changes;
    this.#templates = templates;
  }

  /**
   * Frees what the worker had locked. The schedulers of those services start anew: their cells may be half written.
   *
   * @returns handles of those services
   */
  breakLocks(worker: number): number[] {
    const { store, services } = this.#parts;
    const owner = ownerOf(worker);
    breakLock(store.header, HEADER.templateLock, owner);
    Atomics.and(store.header, HEADER.shortWorkers, ~workerBit(worker));
    const broken: number[] = [];
    for (const slot of services.slots()) {
      if (!breakLock(store.services, slot * SERVICE_WORDS + SERVICE.lock, owner)) continue;
      broken.push(store.services[slot * SERVICE_WORDS + SERVICE.handle] ?? 0);
      this.#changes.runInService(slot, () => this.#changes.startScheduler(slot));
    }
    return broken;
  }

  /** Takes the connections of a dead thread's table out of all counters; returns how many were lost. */
  releaseConnections(buffer: ArrayBufferLike): number {
    const { store, destinations, locks } = this.#parts;
    const table = ConnectionTable.attach(store, buffer);
    const entries = new Entries({
      store,
      table,
      destinations,
      templates: this.#templates,
      locks,
      onExpire: undefined,
    });
    return entries.unbindAll();
  }
}
