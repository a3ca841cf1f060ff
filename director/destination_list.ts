/**
 * The destinations of one service as its scheduler sees them.
 *
 * @module
 */
import { type DestinationList, NO_DESTINATION } from "../schedulers/scheduler.ts";
import { DESTINATION, DESTINATION_WORDS, SERVICE, SERVICE_WORDS } from "./layout.ts";
import { slotMask } from "./slots.ts";
import type { Store } from "./store.ts";

const NOTHING_MASKED: readonly number[] = [];

/**
 * A view that is pointed at one service after the other; destinations are named by their handles. Counters are read
 * without Atomics: those cost 8 ns each, a number one step old costs nothing that a race would not.
 */
export class StoredDestinationList implements DestinationList {
  readonly #services: Int32Array;
  readonly #words: Int32Array;
  readonly #mask: number;
  #service = 0;
  #masked = NOTHING_MASKED;

  constructor(store: Store) {
    this.#services = store.services;
    this.#words = store.destinations;
    this.#mask = slotMask(store.capacities.destinations);
  }

  /** Shows this service's destinations; those in `masked` look overloaded. */
  use(service: number, masked: readonly number[] = NOTHING_MASKED): this {
    this.#service = service * SERVICE_WORDS;
    this.#masked = masked;
    return this;
  }

  get first(): number {
    return orNone(this.#services[this.#service + SERVICE.firstDestination] ?? 0);
  }

  get size(): number {
    return this.#services[this.#service + SERVICE.destinationCount] ?? 0;
  }

  next(destination: number): number {
    return orNone(this.#words[this.#base(destination) + DESTINATION.next] ?? 0);
  }

  previous(destination: number): number {
    return orNone(this.#words[this.#base(destination) + DESTINATION.previous] ?? 0);
  }

  addressWord(destination: number, index: number): number {
    return (this.#words[this.#base(destination) + DESTINATION.address + index] ?? 0) >>> 0;
  }

  port(destination: number): number {
    return this.#words[this.#base(destination) + DESTINATION.port] ?? 0;
  }

  weight(destination: number): number {
    return this.#words[this.#base(destination) + DESTINATION.weight] ?? 0;
  }

  lastWeight(destination: number): number {
    return this.#words[this.#base(destination) + DESTINATION.lastWeight] ?? 0;
  }

  activeConns(destination: number): number {
    return this.#words[this.#base(destination) + DESTINATION.activeConns] ?? 0;
  }

  inactiveConns(destination: number): number {
    return this.#words[this.#base(destination) + DESTINATION.inactiveConns] ?? 0;
  }

  overloaded(destination: number): boolean {
    if (this.#masked.length > 0 && this.#masked.includes(destination)) return true;
    return this.#words[this.#base(destination) + DESTINATION.overloaded] === 1;
  }

  available(destination: number): boolean {
    const base = this.#base(destination);
    return this.#words[base + DESTINATION.available] === 1 &&
      this.#words[base + DESTINATION.handle] === destination;
  }

  #base(destination: number): number {
    return (destination & this.#mask) * DESTINATION_WORDS;
  }
}

function orNone(handle: number): number {
  return handle === 0 ? NO_DESTINATION : handle;
}
