/**
 * Counters of connections, packets and bytes: of each destination, of each service, and in total. Every worker has a
 * block of its own that only it writes; the reader adds the blocks up.
 *
 * @module
 */
import { COUNTER, COUNTERS } from "./layout.ts";
import type { Store } from "./store.ts";
import { DROP_REASON, type DropReason } from "./verdict.ts";

/** What has been counted since the start, or since the last zero. */
export interface Counters {
  readonly connections: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

/** Count per reason of {@linkcode DROP_REASON}. */
export type DropCounters = Readonly<Record<Exclude<keyof typeof DROP_REASON, "none">, number>>;

const REASONS = Object.entries(DROP_REASON).filter(([name]) => name !== "none");

/** One worker's hand on the counters. Rows are those of the tables of destinations and services. */
export class Statistics {
  readonly #counters: Float64Array;
  readonly #bases: Float64Array;
  readonly #block: number;
  readonly #start: number;
  readonly #services: number;
  readonly #destinations: number;
  readonly #drops: number;

  constructor(store: Store, worker: number) {
    const layout = store.counterLayout;
    this.#counters = store.counters;
    this.#bases = store.counterBases;
    this.#block = layout.block;
    this.#start = worker * layout.block;
    this.#services = layout.services;
    this.#destinations = layout.destinations;
    this.#drops = layout.drops;
  }

  /** A connection was scheduled; `service` 0 leaves service and total alone. */
  connection(service: number, destination: number): void {
    this.#grow(this.#destinations + destination * COUNTERS + COUNTER.connections, 1);
    if (service === 0) return;
    this.#grow(this.#services + service * COUNTERS + COUNTER.connections, 1);
    this.#grow(COUNTER.connections, 1);
  }

  input(service: number, destination: number, packets: number, bytes: number): void {
    this.#traffic(service, destination, COUNTER.inPackets, packets, COUNTER.inBytes, bytes);
  }

  output(service: number, destination: number, packets: number, bytes: number): void {
    this.#traffic(service, destination, COUNTER.outPackets, packets, COUNTER.outBytes, bytes);
  }

  drop(reason: DropReason): void {
    this.#grow(this.#drops + reason, 1);
  }

  get drops(): DropCounters {
    return Object.fromEntries(
      REASONS.map(([name, reason]) => [name, this.sum(this.#drops + reason)]),
    ) as DropCounters;
  }

  /** Where the five counters of a service begin; those of the total begin at 0. */
  indexOfService(service: number): number {
    return this.#services + service * COUNTERS;
  }

  indexOfDestination(destination: number): number {
    return this.#destinations + destination * COUNTERS;
  }

  /** A counter of all workers together, since the start. */
  sum(index: number): number {
    let sum = 0;
    for (let at = index; at < this.#counters.length; at += this.#block) sum += this.#counters[at] ?? 0;
    return sum;
  }

  total(): Counters {
    return this.#read(0);
  }

  ofService(service: number): Counters {
    return this.#read(this.indexOfService(service));
  }

  ofDestination(destination: number): Counters {
    return this.#read(this.indexOfDestination(destination));
  }

  /** Lets an object's numbers begin at 0 again. The counters themselves go on: other threads own them. */
  zero(index: number): void {
    for (let at = index; at < index + COUNTERS; at++) this.#bases[at] = this.sum(at);
  }

  #traffic(
    service: number,
    destination: number,
    packetCounter: number,
    packets: number,
    byteCounter: number,
    bytes: number,
  ): void {
    const ofDestination = this.#destinations + destination * COUNTERS;
    const ofService = this.#services + service * COUNTERS;
    if (packets !== 0) {
      this.#grow(ofDestination + packetCounter, packets);
      this.#grow(ofService + packetCounter, packets);
      this.#grow(packetCounter, packets);
    }
    if (bytes !== 0) {
      this.#grow(ofDestination + byteCounter, bytes);
      this.#grow(ofService + byteCounter, bytes);
      this.#grow(byteCounter, bytes);
    }
  }

  #grow(index: number, by: number): void {
    this.#counters[this.#start + index] = (this.#counters[this.#start + index] ?? 0) + by;
  }

  #read(index: number): Counters {
    const value = (counter: number) => this.sum(index + counter) - (this.#bases[index + counter] ?? 0);
    return {
      connections: value(COUNTER.connections),
      inPackets: value(COUNTER.inPackets),
      outPackets: value(COUNTER.outPackets),
      inBytes: value(COUNTER.inBytes),
      outBytes: value(COUNTER.outBytes),
    };
  }
}
