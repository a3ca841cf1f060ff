/**
 * Deleted destinations. They keep their row while connections, templates or lblc mappings name them, and come back to life when the
 * same one is added again.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";
import type { BoundSchedulers } from "./bound_schedulers.ts";
import type { DestinationTable } from "./destinations.ts";
import { DESTINATION, DESTINATION_WORDS, HEADER, HEADER_TIME, SERVICE, SERVICE_WORDS } from "./layout.ts";
import type { ServiceTable } from "./services.ts";
import type { Store } from "./store.ts";

/** IP_VS_DEST_TRASH_PERIOD: how long an unused one is kept, looked at twice in that time. */
const KEEP_MS = 120_000;
const SCAN_MS = KEEP_MS / 2;

/** What the trash is about. */
export interface TrashParts {
  readonly store: Store;
  readonly services: ServiceTable;
  readonly destinations: DestinationTable;
  readonly schedulers: BoundSchedulers;
}

/** The list of deleted destinations; the control plane's. In it `next` and `previous` hold rows, not handles. */
export class Trash {
  readonly #store: Store;
  readonly #words: Int32Array;
  readonly #header: Int32Array;
  readonly #times: Float64Array;
  readonly #destinations: DestinationTable;
  readonly #services: ServiceTable;
  readonly #schedulers: BoundSchedulers;

  constructor({ store, services, destinations, schedulers }: TrashParts) {
    this.#store = store;
    this.#services = services;
    this.#schedulers = schedulers;
    this.#words = store.destinations;
    this.#header = store.header;
    this.#times = store.times;
    this.#destinations = destinations;
  }

  /** Takes a destination that has just left its service's list. */
  put(slot: number, nowMs: number): void {
    const base = slot * DESTINATION_WORDS;
    const first = this.#header[HEADER.firstTrash] ?? 0;
    // 0 means "no scan": the clock's own zero must not be taken for it.
    if (first === 0) this.#times[HEADER_TIME.trashScanMs] = nowMs + SCAN_MS;
    this.#store.destinationTimes[slot] = 0;
    this.#words[base + DESTINATION.next] = first;
    this.#words[base + DESTINATION.previous] = 0;
    if (first === 0) this.#header[HEADER.lastTrash] = slot;
    else this.#words[first * DESTINATION_WORDS + DESTINATION.previous] = slot;
    this.#header[HEADER.firstTrash] = slot;
  }

  /** Takes the destination that was deleted from this service, or from one with its key, out of the trash; 0: none. */
  revive(service: number, endpoint: Endpoint): number {
    for (const slot of this.#slots()) {
      const base = slot * DESTINATION_WORDS;
      if (!this.#destinations.hasEndpoint(base, endpoint) || !this.#belongsTo(base, service)) continue;
      this.#unlink(slot);
      return slot;
    }
    return 0;
  }

  /** Frees those that nobody has named for 120 s: no connection, no template, no scheduler's memory of addresses. */
  scan(nowMs: number): void {
    if (this.#header[HEADER.firstTrash] === 0) return;
    while ((this.#times[HEADER_TIME.trashScanMs] ?? 0) <= nowMs) {
      const scanMs = this.#times[HEADER_TIME.trashScanMs] ?? 0;
      for (const slot of this.#slots()) this.#look(slot, scanMs);
      if (this.#header[HEADER.firstTrash] === 0) return;
      this.#times[HEADER_TIME.trashScanMs] = scanMs + SCAN_MS;
    }
  }

  /**
   * Frees the unused one that has waited longest, for its row is needed now; false when connections or templates name all. A
   * scheduler that remembers it finds it gone for good: its handle names nothing else.
   */
  reclaim(): boolean {
    let slot = this.#header[HEADER.lastTrash] ?? 0;
    while (slot !== 0) {
      if (!this.#destinations.isReferred(slot)) {
        this.#unlink(slot);
        this.#destinations.give(slot);
        return true;
      }
      slot = this.#words[slot * DESTINATION_WORDS + DESTINATION.previous] ?? 0;
    }
    return false;
  }

  #look(slot: number, nowMs: number): void {
    if (this.#destinations.isReferred(slot) || this.#isRemembered(slot)) return;
    const idleSince = (this.#store.destinationTimes[slot] ?? 0) - 1;
    if (idleSince < 0) {
      this.#store.destinationTimes[slot] = nowMs + 1;
    } else if (nowMs >= idleSince + KEEP_MS) {
      this.#unlink(slot);
      this.#destinations.give(slot);
    }
  }

  #isRemembered(slot: number): boolean {
    const base = slot * DESTINATION_WORDS;
    const service = this.#services.slotOf(this.#words[base + DESTINATION.service] ?? 0);
    const bound = service === 0 ? undefined : this.#schedulers.of(service);
    return bound?.scheduler.remembers?.(bound.cells, this.#words[base + DESTINATION.handle] ?? 0) ?? false;
  }

  #belongsTo(base: number, service: number): boolean {
    const from = service * SERVICE_WORDS;
    const words = this.#words;
    const services = this.#store.services;
    const mark = services[from + SERVICE.mark] ?? 0;
    if (
      words[base + DESTINATION.serviceMark] !== mark ||
      words[base + DESTINATION.serviceProtocol] !== services[from + SERVICE.protocol]
    ) return false;
    if (mark !== 0) return true;
    if (
      words[base + DESTINATION.servicePort] !== services[from + SERVICE.port] ||
      words[base + DESTINATION.serviceFamily] !== services[from + SERVICE.family]
    ) return false;
    for (let i = 0; i < 4; i++) {
      if (words[base + DESTINATION.serviceAddress + i] !== services[from + SERVICE.address + i]) return false;
    }
    return true;
  }

  *#slots(): Generator<number> {
    let slot = this.#header[HEADER.firstTrash] ?? 0;
    while (slot !== 0) {
      const next = this.#words[slot * DESTINATION_WORDS + DESTINATION.next] ?? 0;
      yield slot;
      slot = next;
    }
  }

  #unlink(slot: number): void {
    const base = slot * DESTINATION_WORDS;
    const after = this.#words[base + DESTINATION.next] ?? 0;
    const before = this.#words[base + DESTINATION.previous] ?? 0;
    if (before === 0) this.#header[HEADER.firstTrash] = after;
    else this.#words[before * DESTINATION_WORDS + DESTINATION.next] = after;
    if (after === 0) this.#header[HEADER.lastTrash] = before;
    else this.#words[after * DESTINATION_WORDS + DESTINATION.previous] = before;
  }
}
