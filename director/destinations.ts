/**
 * The table of destinations: rows, the list of each service in the kernel's order (newest first), and the counters
 * that connections move.
 *
 * @module
 */
import { packTunnel, PLAIN_TUNNEL } from "../modes/tunnel.ts";
import type { Endpoint } from "../net/endpoint.ts";
import {
  DESTINATION,
  DESTINATION_WORDS,
  ENTRY_FLAG,
  HEADER,
  METHOD,
  SERVICE,
  SERVICE_WORDS,
} from "./layout.ts";
import { slotMask, SlotPool } from "./slots.ts";
import type { DestinationSpec } from "./specs.ts";
import type { Store } from "./store.ts";
import { thresholdsAfterBind, thresholdsAfterEdit, thresholdsAfterUnbind, totalConns } from "./thresholds.ts";

/** Rows of destinations. Lists change under the service's lock, counters by atomic steps from any thread. */
export class DestinationTable {
  readonly #store: Store;
  readonly #words: Int32Array;
  readonly #services: Int32Array;
  readonly #pool: SlotPool;
  readonly #mask: number;

  constructor(store: Store) {
    this.#store = store;
    this.#words = store.destinations;
    this.#services = store.services;
    this.#mask = slotMask(store.capacities.destinations);
    this.#pool = new SlotPool(store.header, HEADER.destinationSlots, {
      words: store.destinations,
      stride: DESTINATION_WORDS,
      capacity: store.capacities.destinations,
      handle: DESTINATION.handle,
      link: DESTINATION.slotLink,
    });
  }

  /** Row of a handle, 0 when the destination is gone for good (one in the trash still has its row). */
  slotOf(handle: number): number {
    const slot = handle & this.#mask;
    return handle > 0 && this.#words[slot * DESTINATION_WORDS + DESTINATION.handle] === handle ? slot : 0;
  }

  /** Handle of the destination with this address and port in the service's list, 0 for none. */
  find(service: number, endpoint: Endpoint): number {
    let handle = this.#services[service * SERVICE_WORDS + SERVICE.firstDestination] ?? 0;
    while (handle !== 0) {
      const base = (handle & this.#mask) * DESTINATION_WORDS;
      if (this.hasEndpoint(base, endpoint)) return handle;
      handle = this.#words[base + DESTINATION.next] ?? 0;
    }
    return 0;
  }

  hasEndpoint(base: number, endpoint: Endpoint): boolean {
    const { family, words } = endpoint.address;
    return this.#words[base + DESTINATION.port] === endpoint.port &&
      this.#words[base + DESTINATION.family] === family &&
      words.every((word, i) => this.#words[base + DESTINATION.address + i] === (word | 0));
  }

  /** A fresh row for an address, in no list yet; 0 when all rows are taken. */
  take(endpoint: Endpoint): number {
    const slot = this.#pool.take();
    if (slot === 0) return 0;
    const base = slot * DESTINATION_WORDS;
    this.#words.fill(0, base + DESTINATION.service, base + DESTINATION_WORDS);
    this.#store.destinationTimes[slot] = 0;
    this.#words[base + DESTINATION.family] = endpoint.address.family;
    this.#words.set(endpoint.address.words, base + DESTINATION.address);
    this.#words[base + DESTINATION.port] = endpoint.port;
    return slot;
  }

  /** Frees the row of a destination that nothing refers to. */
  give(slot: number): void {
    this.#pool.give(slot);
  }

  /** Takes over method, weights and thresholds; `added` as the kernel's flag of the same meaning. */
  write(slot: number, spec: DestinationSpec, added: boolean): void {
    const base = slot * DESTINATION_WORDS;
    this.writeWeight(slot, spec.effectiveWeight ?? spec.weight, added);
    this.#words[base + DESTINATION.configuredWeight] = spec.weight;
    const method = METHOD[spec.method];
    this.#words[base + DESTINATION.entryFlags] = method | ENTRY_FLAG.inactive |
      (method === METHOD.nat ? 0 : ENTRY_FLAG.noOutput);
    this.#words[base + DESTINATION.tunnel] = packTunnel(spec.tunnel ?? PLAIN_TUNNEL);
    this.#words[base + DESTINATION.upperThreshold] = spec.upperThreshold ?? 0;
    this.#words[base + DESTINATION.lowerThreshold] = spec.lowerThreshold ?? 0;
    thresholdsAfterEdit(this.#words, base);
  }

  /** The weight in force; the last one that was not 0 is remembered beside it (mh builds its table from that). */
  writeWeight(slot: number, weight: number, added: boolean): void {
    const base = slot * DESTINATION_WORDS;
    if (added || weight !== 0) this.#words[base + DESTINATION.lastWeight] = weight;
    this.#words[base + DESTINATION.weight] = weight;
  }

  /** Writes down whose destination this is; the identity outlives the service, for revival. */
  bindService(slot: number, service: number): void {
    const base = slot * DESTINATION_WORDS;
    const from = service * SERVICE_WORDS;
    const words = this.#words;
    words[base + DESTINATION.service] = this.#services[from + SERVICE.handle] ?? 0;
    words[base + DESTINATION.serviceFamily] = this.#services[from + SERVICE.family] ?? 0;
    words[base + DESTINATION.serviceProtocol] = this.#services[from + SERVICE.protocol] ?? 0;
    words[base + DESTINATION.servicePort] = this.#services[from + SERVICE.port] ?? 0;
    words[base + DESTINATION.serviceMark] = this.#services[from + SERVICE.mark] ?? 0;
    const address = from + SERVICE.address;
    words.set(this.#services.subarray(address, address + 4), base + DESTINATION.serviceAddress);
  }

  /** Puts a destination at the head of its service's list and makes it available. */
  linkFirst(slot: number, service: number): void {
    const from = service * SERVICE_WORDS;
    const base = slot * DESTINATION_WORDS;
    const handle = this.#words[base + DESTINATION.handle] ?? 0;
    const first = this.#services[from + SERVICE.firstDestination] ?? 0;
    this.#words[base + DESTINATION.available] = 1;
    this.#words[base + DESTINATION.next] = first;
    this.#words[base + DESTINATION.previous] = 0;
    if (first === 0) this.#services[from + SERVICE.lastDestination] = handle;
    else this.#words[(first & this.#mask) * DESTINATION_WORDS + DESTINATION.previous] = handle;
    this.#services[from + SERVICE.firstDestination] = handle;
    this.#services[from + SERVICE.destinationCount] = (this.#services[from + SERVICE.destinationCount] ?? 0) +
      1;
  }

  /** Takes a destination out of its service's list. Its own links stay, for a scheduler that looks back. */
  unlink(slot: number, service: number): void {
    const from = service * SERVICE_WORDS;
    const base = slot * DESTINATION_WORDS;
    const after = this.#words[base + DESTINATION.next] ?? 0;
    const before = this.#words[base + DESTINATION.previous] ?? 0;
    if (before === 0) this.#services[from + SERVICE.firstDestination] = after;
    else this.#words[(before & this.#mask) * DESTINATION_WORDS + DESTINATION.next] = after;
    if (after === 0) this.#services[from + SERVICE.lastDestination] = before;
    else this.#words[(after & this.#mask) * DESTINATION_WORDS + DESTINATION.previous] = before;
    this.#services[from + SERVICE.destinationCount] = (this.#services[from + SERVICE.destinationCount] ?? 1) -
      1;
  }

  /** Handles of a service's destinations, head first. */
  *ofService(service: number): Generator<number> {
    let handle = this.#services[service * SERVICE_WORDS + SERVICE.firstDestination] ?? 0;
    while (handle !== 0) {
      const next = this.#words[(handle & this.#mask) * DESTINATION_WORDS + DESTINATION.next] ?? 0;
      yield handle;
      handle = next;
    }
  }

  /** A new connection counts as inactive until its state says otherwise. */
  bindConnection(slot: number): void {
    const base = slot * DESTINATION_WORDS;
    Atomics.add(this.#words, base + DESTINATION.inactiveConns, 1);
    if (this.#words[base + DESTINATION.upperThreshold] !== 0) thresholdsAfterBind(this.#words, base);
  }

  unbindConnection(slot: number, active: boolean): void {
    const base = slot * DESTINATION_WORDS;
    Atomics.sub(this.#words, base + (active ? DESTINATION.activeConns : DESTINATION.inactiveConns), 1);
    thresholdsAfterUnbind(this.#words, base);
  }

  /** A connection changed sides. */
  moveConnection(slot: number, toActive: boolean): void {
    const base = slot * DESTINATION_WORDS;
    Atomics.add(this.#words, base + DESTINATION.activeConns, toActive ? 1 : -1);
    Atomics.add(this.#words, base + DESTINATION.inactiveConns, toActive ? -1 : 1);
  }

  bindTemplate(slot: number): void {
    const base = slot * DESTINATION_WORDS;
    Atomics.add(this.#words, base + DESTINATION.persistentConns, 1);
    thresholdsAfterBind(this.#words, base);
  }

  unbindTemplate(slot: number): void {
    const base = slot * DESTINATION_WORDS;
    Atomics.sub(this.#words, base + DESTINATION.persistentConns, 1);
    thresholdsAfterUnbind(this.#words, base);
  }

  /** Whether a connection or template still names the destination. */
  isReferred(slot: number): boolean {
    const base = slot * DESTINATION_WORDS;
    return totalConns(this.#words, base) + (this.#words[base + DESTINATION.persistentConns] ?? 0) > 0;
  }
}
