/**
 * Which scheduler serves which service, and with which cells.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import type { Scheduler } from "../schedulers/scheduler.ts";
import { CellArena } from "./cell_arena.ts";
import { SERVICE, SERVICE_WORDS } from "./layout.ts";
import type { Store } from "./store.ts";

/** Looks a scheduler up by the name that ipvsadm uses. */
export type FindScheduler = (name: string) => Scheduler | undefined;

/** A scheduler with the cells of one service. */
export interface BoundScheduler {
  readonly scheduler: Scheduler;
  readonly cells: Int32Array;
}

/** A service with this scheduler accepts no new connection. */
export const NO_SCHEDULER = "none";
const NAME_WORDS = 4;
const NAME_BYTES = 15;

/** The scheduler's name and place of its cells are in the store; every thread keeps the objects made from them. */
export class BoundSchedulers {
  readonly #store: Store;
  readonly #findScheduler: FindScheduler;
  readonly #arena: CellArena;
  readonly #versions: Int32Array;
  readonly #bound: (BoundScheduler | undefined)[] = [];

  constructor(store: Store, findScheduler: FindScheduler) {
    this.#store = store;
    this.#findScheduler = findScheduler;
    this.#arena = new CellArena(store.cells);
    this.#versions = new Int32Array(store.capacities.services + 1);
  }

  /** The service's scheduler, undefined for `none`. Call it under the service's lock. */
  of(service: number): BoundScheduler | undefined {
    const version = this.#store.services[service * SERVICE_WORDS + SERVICE.schedulerVersion] ?? 0;
    if (this.#versions[service] !== version) {
      this.#versions[service] = version;
      this.#bound[service] = this.#load(service);
    }
    return this.#bound[service];
  }

  name(service: number): string {
    const at = service * SERVICE_WORDS + SERVICE.schedulerName;
    const bytes = new Uint8Array(this.#store.services.slice(at, at + NAME_WORDS).buffer);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(bytes.subarray(0, end < 0 ? bytes.length : end));
  }

  /** @throws {DirectorError} `ENOENT` when there is no such scheduler. */
  require(name: string): Scheduler | undefined {
    if (name === NO_SCHEDULER) return undefined;
    const scheduler = this.#findScheduler(name);
    if (scheduler === undefined || name.length > NAME_BYTES) {
      throw new DirectorError(
        "ENOENT",
        `there is no scheduler "${name}"; lvsd schedulers lists those there are`,
        {
          scheduler: name,
        },
      );
    }
    return scheduler;
  }

  /**
   * Gives the service another scheduler with fresh cells, still to be started. The old cells go back.
   *
   * @throws {DirectorError} `ENOENT`, `ENOMEM`; then nothing has changed
   */
  bind(service: number, name: string): void {
    const scheduler = this.require(name);
    const cellCount = scheduler?.cellCount ?? 0;
    const index = cellCount === 0 ? 0 : this.#arena.take(cellCount);
    if (index < 0) {
      const limit = this.#store.capacities.schedulerCells;
      throw new DirectorError(
        "ENOMEM",
        `scheduler ${name} needs ${cellCount} cells in one piece, which the ${limit} of all services no longer have`,
        { limit },
      );
    }
    this.unbind(service);
    const base = service * SERVICE_WORDS;
    const words = this.#store.services;
    const bytes = new Uint8Array(NAME_WORDS * 4);
    new TextEncoder().encodeInto(name, bytes);
    words.set(new Int32Array(bytes.buffer), base + SERVICE.schedulerName);
    words[base + SERVICE.cells] = index;
    words[base + SERVICE.cellCount] = cellCount;
    words[base + SERVICE.schedulerVersion] = (words[base + SERVICE.schedulerVersion] ?? 0) + 1;
  }

  /** Gives the service's cells back. */
  unbind(service: number): void {
    const base = service * SERVICE_WORDS;
    const words = this.#store.services;
    if ((words[base + SERVICE.cellCount] ?? 0) > 0) this.#arena.give(words[base + SERVICE.cells] ?? 0);
    words[base + SERVICE.cellCount] = 0;
    words[base + SERVICE.schedulerVersion] = (words[base + SERVICE.schedulerVersion] ?? 0) + 1;
  }

  #load(service: number): BoundScheduler | undefined {
    const scheduler = this.require(this.name(service));
    if (scheduler === undefined) return undefined;
    const at = this.#store.services[service * SERVICE_WORDS + SERVICE.cells] ?? 0;
    const count = this.#store.services[service * SERVICE_WORDS + SERVICE.cellCount] ?? 0;
    return { scheduler, cells: this.#store.cells.subarray(at, at + count) };
  }
}
