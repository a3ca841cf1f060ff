/**
 * Persistence templates: which client stays with which destination. They are shared by all threads, found by the same
 * key as in the kernel, and guarded by one lock.
 *
 * @module
 */
import { Chains, foldAddress, mixHash } from "./chains.ts";
import type { DestinationTable } from "./destinations.ts";
import {
  DESTINATION,
  DESTINATION_WORDS,
  HEADER,
  HEADER_TIME,
  TEMPLATE,
  TEMPLATE_TIME,
  TEMPLATE_TIMES,
} from "./layout.ts";
import { TEMPLATE_WORDS } from "./layout.ts";
import { SlotPool } from "./slots.ts";
import type { Store } from "./store.ts";
import { hashBytes, TemplateData } from "./template_data.ts";
import { EXTENSION_MS } from "./timeouts.ts";
import { TimerWheel } from "./timer_wheel.ts";

/** Ports of a template that must not be found any more, as the kernel marks it. */
export const INVALID_PORT = 0xffff;
/** Rows looked at for one that may give way when all are taken. */
const EVICTION_TRIES = 64;

const NO_DATA = new Uint8Array(0);

/** What a template is found by; one object, refilled. */
export class TemplateKey {
  /** IP protocol, 0 for a mark. */
  protocol = 0;
  family = 4;
  /** Client address under the netmask. */
  readonly client: Int32Array = new Int32Array(4);
  /** Virtual address, or the mark in word 0. */
  readonly virtual: Int32Array = new Int32Array(4);
  virtualPort = 0;
  /** Number of the persistence engine, 0 for none, and what it found. */
  engine = 0;
  data: Uint8Array = NO_DATA;
}

/** Rows of templates. Call everything but {@linkcode TemplateTable.rows} under the template lock. */
export class TemplateTable {
  /** Templates that came due in this thread: ended, or prolonged. */
  fired = 0;
  readonly #store: Store;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #chains: Chains;
  readonly #data: TemplateData;
  readonly #destinations: DestinationTable;
  readonly #pool: SlotPool;
  readonly #seed: number;
  readonly #wheel: TimerWheel;
  readonly #onDue = (row: number, nowMs: number) => this.#due(row, nowMs);

  constructor(store: Store, destinations: DestinationTable, seed: number) {
    this.#store = store;
    this.#words = store.templates;
    this.#times = store.templateTimes;
    this.#chains = new Chains(store.templateChains, store.templates, TEMPLATE_WORDS, TEMPLATE.hashLink);
    this.#data = new TemplateData(store.templateData);
    this.#destinations = destinations;
    this.#seed = seed;
    this.#pool = new SlotPool(store.header, HEADER.templateSlots, {
      words: store.templates,
      stride: TEMPLATE_WORDS,
      capacity: store.capacities.persistenceTemplates,
      handle: TEMPLATE.handle,
      link: TEMPLATE.slotLink,
    });
    const rows = {
      words: store.templates,
      stride: TEMPLATE_WORDS,
      next: TEMPLATE.wheelNext,
      previous: TEMPLATE.wheelPrevious,
      bucket: TEMPLATE.wheelBucket,
      times: store.templateTimes,
      timeStride: TEMPLATE_TIMES,
      expiresMs: TEMPLATE_TIME.expiresMs,
    };
    this.#wheel = new TimerWheel(store.templateWheel, rows, store.times, HEADER_TIME.templateTick);
  }

  /** Templates in use. */
  get count(): number {
    return this.#store.header[HEADER.templateCount] ?? 0;
  }

  /** Row of the template with this key, 0 for none. One whose time is up is ended, or prolonged, first. */
  find(key: TemplateKey, nowMs: number): number {
    let row = this.#chains.first(this.#hash(key));
    while (row !== 0) {
      if (this.#matches(row * TEMPLATE_WORDS, key)) {
        if (this.expiresMs(row) <= nowMs) this.#due(row, nowMs);
        return (this.#words[row * TEMPLATE_WORDS + TEMPLATE.handle] ?? 0) > 0 ? row : 0;
      }
      row = this.#chains.next(row);
    }
    return 0;
  }

  /** A new template for a destination row; 0 when all are taken and none may give way. */
  add(
    key: TemplateKey,
    destination: number,
    destinationPort: number,
    timeoutMs: number,
    nowMs: number,
  ): number {
    const row = this.#take();
    if (row === 0) return 0;
    const base = row * TEMPLATE_WORDS;
    const words = this.#words;
    words.fill(0, base + TEMPLATE.hashLink, base + TEMPLATE_WORDS);
    words[base + TEMPLATE.protocol] = key.protocol;
    words[base + TEMPLATE.family] = key.family;
    words.set(key.client, base + TEMPLATE.client);
    words.set(key.virtual, base + TEMPLATE.virtual);
    words[base + TEMPLATE.virtualPort] = key.virtualPort;
    words[base + TEMPLATE.engine] = key.engine;
    if (key.engine !== 0) this.#data.write(row, key.data);
    const from = destination * DESTINATION_WORDS;
    words[base + TEMPLATE.destination] = this.#store.destinations[from + DESTINATION.handle] ?? 0;
    words[base + TEMPLATE.entryFlags] = this.#store.destinations[from + DESTINATION.entryFlags] ?? 0;
    words[base + TEMPLATE.destinationPort] = destinationPort;
    this.#times[row * TEMPLATE_TIMES + TEMPLATE_TIME.timeoutMs] = timeoutMs;
    this.#chains.push(row, this.#hash(key));
    this.#destinations.bindTemplate(destination);
    this.#store.header[HEADER.templateCount] = this.count + 1;
    this.#wheel.set(row, nowMs + timeoutMs, nowMs);
    return row;
  }

  /** Above 0 while the row is in use, and another one each time. */
  handle(row: number): number {
    return this.#words[row * TEMPLATE_WORDS + TEMPLATE.handle] ?? 0;
  }

  /** Handle of the template's destination. */
  destination(row: number): number {
    return this.#words[row * TEMPLATE_WORDS + TEMPLATE.destination] ?? 0;
  }

  /** Number of the engine that made it, 0 for none. */
  engine(row: number): number {
    return this.#words[row * TEMPLATE_WORDS + TEMPLATE.engine] ?? 0;
  }

  /** What its engine found; a view, read it under the lock or copy it. */
  data(row: number): Uint8Array {
    return this.#data.read(row);
  }

  expiresMs(row: number): number {
    return this.#times[row * TEMPLATE_TIMES + TEMPLATE_TIME.expiresMs] ?? 0;
  }

  timeoutMs(row: number): number {
    return this.#times[row * TEMPLATE_TIMES + TEMPLATE_TIME.timeoutMs] ?? 0;
  }

  /** A new connection hangs on the template: its time begins again, with the timeout it has. */
  control(row: number, nowMs: number): void {
    Atomics.add(this.#words, row * TEMPLATE_WORDS + TEMPLATE.controls, 1);
    this.restart(row, nowMs);
  }

  restart(row: number, nowMs: number): void {
    this.#wheel.set(row, nowMs + this.timeoutMs(row), nowMs);
  }

  /** A connection that hung on it has gone; needs no lock. */
  uncontrol(row: number): void {
    Atomics.sub(this.#words, row * TEMPLATE_WORDS + TEMPLATE.controls, 1);
  }

  /** A one-packet connection used it, which leaves no entry to count. */
  countPacket(row: number): void {
    Atomics.add(this.#words, row * TEMPLATE_WORDS + TEMPLATE.inPackets, 1);
  }

  /** A connection on it was established; needs no lock. */
  assure(row: number): void {
    this.#words[row * TEMPLATE_WORDS + TEMPLATE.assured] = 1;
  }

  /** Makes a template unfindable: its destination has gone. It dies at its own time, and shows as port 65535. */
  invalidate(row: number): void {
    const base = row * TEMPLATE_WORDS;
    if (this.#words[base + TEMPLATE.virtualPort] === INVALID_PORT) return;
    this.#chains.remove(row, this.#hashOf(base));
    this.#words[base + TEMPLATE.virtualPort] = INVALID_PORT;
    this.#words[base + TEMPLATE.destinationPort] = INVALID_PORT;
    this.#chains.push(row, this.#hashOf(base));
  }

  /** Ends a template that no connection hangs on. */
  remove(row: number): void {
    const base = row * TEMPLATE_WORDS;
    this.#wheel.stop(row);
    this.#chains.remove(row, this.#hashOf(base));
    const destination = this.#destinations.slotOf(this.destination(row));
    if (destination !== 0) this.#destinations.unbindTemplate(destination);
    this.#words[base + TEMPLATE.destination] = 0;
    this.#pool.give(row);
    this.#store.header[HEADER.templateCount] = this.count - 1;
  }

  /** Whether connections hang on the template. */
  isControlling(row: number): boolean {
    return (this.#words[row * TEMPLATE_WORDS + TEMPLATE.controls] ?? 0) > 0;
  }

  /** Whether a connection on it was ever established. */
  isAssured(row: number): boolean {
    return this.#words[row * TEMPLATE_WORDS + TEMPLATE.assured] === 1;
  }

  /** First tick of the wheel to look at, see {@linkcode TimerWheel.tickAt}. */
  tickAt(nowMs: number): number {
    return this.#wheel.tickAt(nowMs);
  }

  /** Fires what is due in one tick. */
  step(tick: number, nowMs: number): void {
    this.#wheel.step(tick, nowMs, this.#onDue);
  }

  get chainCount(): number {
    return this.#chains.count;
  }

  /** Rows of one chain of the hash table; the one at hand may be removed. */
  rowsOfChain(chain: number): Generator<number> {
    return this.#chains.rows(chain);
  }

  /** Rows in use. */
  *rows(): Generator<number> {
    for (let row = 1; row <= this.#pool.used; row++) {
      if ((this.#words[row * TEMPLATE_WORDS + TEMPLATE.handle] ?? 0) > 0) yield row;
    }
  }

  /** Time is up: with connections on it another 60 s, and 60 s from then on, else the end. */
  #due(row: number, nowMs: number): void {
    this.fired++;
    if (!this.isControlling(row)) {
      this.remove(row);
      return;
    }
    this.#times[row * TEMPLATE_TIMES + TEMPLATE_TIME.timeoutMs] = EXTENSION_MS;
    // A late look must not prolong its life: count from the moment it was due.
    const turns = Math.floor((nowMs - this.expiresMs(row)) / EXTENSION_MS) + 1;
    this.#wheel.set(row, this.expiresMs(row) + turns * EXTENSION_MS, nowMs);
  }

  /** A row; when all are taken, one that no connection hangs on gives way, a not yet assured one rather. */
  #take(): number {
    const free = this.#pool.take();
    if (free !== 0) return free;
    const { header } = this.#store;
    let victim = 0;
    for (let tries = 0; tries < EVICTION_TRIES; tries++) {
      const row = ((header[HEADER.templateRover] ?? 0) % this.#store.capacities.persistenceTemplates) + 1;
      header[HEADER.templateRover] = row;
      if (this.isControlling(row)) continue;
      victim = row;
      if (this.#words[row * TEMPLATE_WORDS + TEMPLATE.assured] === 0) break;
    }
    if (victim === 0) return 0;
    this.remove(victim);
    return this.#pool.take();
  }

  #matches(base: number, key: TemplateKey): boolean {
    const words = this.#words;
    if (
      words[base + TEMPLATE.protocol] !== key.protocol || words[base + TEMPLATE.family] !== key.family ||
      words[base + TEMPLATE.virtualPort] !== key.virtualPort || words[base + TEMPLATE.engine] !== key.engine
    ) return false;
    for (let i = 0; i < 4; i++) {
      if (words[base + TEMPLATE.client + i] !== key.client[i]) return false;
      if (words[base + TEMPLATE.virtual + i] !== key.virtual[i]) return false;
    }
    return key.engine === 0 || this.#data.equals(base / TEMPLATE_WORDS, key.data);
  }

  /** By what the engine found alone, as in the kernel; else by client and virtual address. */
  #hash(key: TemplateKey): number {
    if (key.engine !== 0) return hashBytes(this.#seed, key.data);
    return this.#hashWords(key.client, 0, key.virtual, 0, key.virtualPort, key.protocol);
  }

  #hashOf(base: number): number {
    const words = this.#words;
    if (words[base + TEMPLATE.engine] !== 0) {
      return hashBytes(this.#seed, this.#data.read(base / TEMPLATE_WORDS));
    }
    const port = words[base + TEMPLATE.virtualPort] ?? 0;
    const protocol = words[base + TEMPLATE.protocol] ?? 0;
    return this.#hashWords(words, base + TEMPLATE.client, words, base + TEMPLATE.virtual, port, protocol);
  }

  #hashWords(
    client: Int32Array,
    c: number,
    virtual: Int32Array,
    v: number,
    port: number,
    protocol: number,
  ): number {
    return mixHash(this.#seed, foldWords(client, c), foldWords(virtual, v), (port << 8) ^ protocol);
  }
}

function foldWords(words: Int32Array, index: number): number {
  return foldAddress(words[index] ?? 0, words[index + 1] ?? 0, words[index + 2] ?? 0, words[index + 3] ?? 0);
}
