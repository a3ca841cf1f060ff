/**
 * Persistence templates: which client stays with which destination. They are shared by all threads, found by the same
 * key as in the kernel, and guarded by one lock.
 *
 * @module
 */
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
import { EXTENSION_MS } from "./timeouts.ts";
import { TimerWheel } from "./timer_wheel.ts";

/** Ports of a template that must not be found any more, as the kernel marks it. */
export const INVALID_PORT = 0xffff;
/** Rows looked at for one that may give way when all are taken. */
const EVICTION_TRIES = 64;

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
}

/** Rows of templates. Call everything but {@linkcode TemplateTable.rows} under the template lock. */
export class TemplateTable {
  readonly #store: Store;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #chains: Int32Array;
  readonly #destinations: DestinationTable;
  readonly #pool: SlotPool;
  readonly #seed: number;
  readonly #wheel: TimerWheel;
  readonly #onDue = (row: number, nowMs: number) => this.#due(row, nowMs);

  constructor(store: Store, destinations: DestinationTable, seed: number) {
    this.#store = store;
    this.#words = store.templates;
    this.#times = store.templateTimes;
    this.#chains = store.templateChains;
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
    const words = this.#words;
    let row = this.#chains[this.#chain(key)] ?? 0;
    while (row !== 0) {
      const base = row * TEMPLATE_WORDS;
      if (this.#matches(base, key)) {
        if (this.expiresMs(row) > nowMs) return row;
        this.#due(row, nowMs);
        return words[base + TEMPLATE.handle] === 0 || (words[base + TEMPLATE.handle] ?? 0) < 0 ? 0 : row;
      }
      row = words[base + TEMPLATE.hashLink] ?? 0;
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
    const from = destination * DESTINATION_WORDS;
    words[base + TEMPLATE.destination] = this.#store.destinations[from + DESTINATION.handle] ?? 0;
    words[base + TEMPLATE.entryFlags] = this.#store.destinations[from + DESTINATION.entryFlags] ?? 0;
    words[base + TEMPLATE.destinationPort] = destinationPort;
    this.#times[row * TEMPLATE_TIMES + TEMPLATE_TIME.timeoutMs] = timeoutMs;
    this.#link(row, this.#chain(key));
    this.#destinations.bindTemplate(destination);
    this.#store.header[HEADER.templateCount] = this.count + 1;
    this.#wheel.set(row, nowMs + timeoutMs, nowMs);
    return row;
  }

  /** Handle of the template's destination. */
  destination(row: number): number {
    return this.#words[row * TEMPLATE_WORDS + TEMPLATE.destination] ?? 0;
  }

  expiresMs(row: number): number {
    return this.#times[row * TEMPLATE_TIMES + TEMPLATE_TIME.expiresMs] ?? 0;
  }

  /** A new connection hangs on the template: its time begins again, with the timeout it has. */
  control(row: number, nowMs: number): void {
    Atomics.add(this.#words, row * TEMPLATE_WORDS + TEMPLATE.controls, 1);
    this.restart(row, nowMs);
  }

  restart(row: number, nowMs: number): void {
    const timeoutMs = this.#times[row * TEMPLATE_TIMES + TEMPLATE_TIME.timeoutMs] ?? 0;
    this.#wheel.set(row, nowMs + timeoutMs, nowMs);
  }

  /** A connection that hung on it has gone; needs no lock. */
  uncontrol(row: number): void {
    Atomics.sub(this.#words, row * TEMPLATE_WORDS + TEMPLATE.controls, 1);
  }

  /** A connection on it was established; needs no lock. */
  assure(row: number): void {
    this.#words[row * TEMPLATE_WORDS + TEMPLATE.assured] = 1;
  }

  /** Makes a template unfindable: its destination has gone. It dies at its own time, and shows as port 65535. */
  invalidate(row: number): void {
    const base = row * TEMPLATE_WORDS;
    if (this.#words[base + TEMPLATE.virtualPort] === INVALID_PORT) return;
    this.#unlink(row);
    this.#words[base + TEMPLATE.virtualPort] = INVALID_PORT;
    this.#words[base + TEMPLATE.destinationPort] = INVALID_PORT;
    this.#link(row, this.#chainOf(base));
  }

  /** Ends a template that no connection hangs on. */
  remove(row: number): void {
    const base = row * TEMPLATE_WORDS;
    this.#wheel.stop(row);
    this.#unlink(row);
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

  /** First tick of the wheel to look at, see {@linkcode TimerWheel.tickAt}. */
  tickAt(nowMs: number): number {
    return this.#wheel.tickAt(nowMs);
  }

  /** Fires what is due in one tick. */
  step(tick: number, nowMs: number): void {
    this.#wheel.step(tick, nowMs, this.#onDue);
  }

  /** Rows in use. */
  *rows(): Generator<number> {
    for (let row = 1; row <= this.#pool.used; row++) {
      if ((this.#words[row * TEMPLATE_WORDS + TEMPLATE.handle] ?? 0) > 0) yield row;
    }
  }

  /** Time is up: with connections on it another 60 s, and 60 s from then on, else the end. */
  #due(row: number, nowMs: number): void {
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
      words[base + TEMPLATE.virtualPort] !== key.virtualPort
    ) return false;
    for (let i = 0; i < 4; i++) {
      if (words[base + TEMPLATE.client + i] !== key.client[i]) return false;
      if (words[base + TEMPLATE.virtual + i] !== key.virtual[i]) return false;
    }
    return true;
  }

  #chain(key: TemplateKey): number {
    return this.#mix(fold(key.client, 0), fold(key.virtual, 0), (key.virtualPort << 8) ^ key.protocol);
  }

  #chainOf(base: number): number {
    const words = this.#words;
    const service = ((words[base + TEMPLATE.virtualPort] ?? 0) << 8) ^ (words[base + TEMPLATE.protocol] ?? 0);
    return this.#mix(fold(words, base + TEMPLATE.client), fold(words, base + TEMPLATE.virtual), service);
  }

  #mix(client: number, virtual: number, service: number): number {
    let hash = Math.imul(client ^ this.#seed, 0xcc9e2d51);
    hash = Math.imul((hash ^ (hash >>> 15)) ^ virtual, 0x85ebca6b);
    hash = Math.imul((hash ^ (hash >>> 13)) ^ service, 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) & (this.#chains.length - 1);
  }

  #link(row: number, chain: number): void {
    this.#words[row * TEMPLATE_WORDS + TEMPLATE.hashLink] = this.#chains[chain] ?? 0;
    this.#chains[chain] = row;
  }

  #unlink(row: number): void {
    const words = this.#words;
    const chain = this.#chainOf(row * TEMPLATE_WORDS);
    const after = words[row * TEMPLATE_WORDS + TEMPLATE.hashLink] ?? 0;
    let other = this.#chains[chain] ?? 0;
    if (other === row) {
      this.#chains[chain] = after;
      return;
    }
    while (other !== 0) {
      const link = other * TEMPLATE_WORDS + TEMPLATE.hashLink;
      if (words[link] === row) {
        words[link] = after;
        return;
      }
      other = words[link] ?? 0;
    }
  }
}

function fold(words: Int32Array, index: number): number {
  return (words[index] ?? 0) ^ Math.imul(words[index + 1] ?? 0, 0x85ebca6b) ^
    Math.imul(words[index + 2] ?? 0, 0xc2b2ae35) ^ Math.imul(words[index + 3] ?? 0, 0x27d4eb2f);
}
