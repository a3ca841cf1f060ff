/**
 * The life of a connection entry: bound to a destination, moved by packets, ended by time.
 *
 * @module
 */
import { Flow, PROTOCOL } from "../net/flow.ts";
import type { ConnectionTable } from "./connections.ts";
import type { DestinationTable } from "./destinations.ts";
import { ENTRY, ENTRY_TIME, ENTRY_TIMES, ENTRY_WORDS } from "./entry_layout.ts";
import { DESTINATION, DESTINATION_WORDS, ENTRY_FLAG, HEADER, METHOD } from "./layout.ts";
import type { Locks } from "./locks.ts";
import type { Store } from "./store.ts";
import { sysctlIndex } from "./sysctl.ts";
import { nextSctpState, SCTP_STATE } from "./sctp_states.ts";
import { nextTcpState, TCP_ACTIVE, TCP_STATE, TCP_WAY } from "./tcp_states.ts";
import type { TemplateTable } from "./templates.ts";
import { NEW_ENTRY_TIMEOUT_MS, SCTP_TIMEOUT, TCP_TIMEOUT, UDP_TIMEOUT } from "./timeouts.ts";

/** Why an entry ended. */
export type EndCause =
  | "timeout" // no packet for the time of its state
  | "evicted" // had ended, and gave way to a new one
  | "rescheduled" // its client port is used for a new connection
  | "destination-removed" // `expire_nodest_conn`
  | "dropped"; // `drop_entry`, memory is short

/** An entry that has just ended. One object, refilled: copy what is kept. */
export class EndedEntry {
  cause: EndCause = "timeout";
  /** Handle of the destination. */
  destination = 0;
  /** Client, virtual side and protocol; `entry` is the handle that is no longer valid. */
  readonly flow: Flow = new Flow();
}

/** Told about entries that end by themselves, with the entry's handle. Not about those taken out by `forget`. */
export type OnExpire = (entry: number, ended: EndedEntry) => void;

const SECURE_TCP = sysctlIndex("secure_tcp");
/** `secure_tcp` 2 and 3: the kernel's "automatic, now active" and "always". */
const SECURE_FROM = 2;

/** What an entry's life touches. */
export interface EntryParts {
  readonly store: Store;
  readonly table: ConnectionTable;
  readonly destinations: DestinationTable;
  readonly templates: TemplateTable;
  readonly locks: Locks;
  readonly onExpire: OnExpire | undefined;
}

/** Operations on the rows of one thread's connection table. */
export class Entries {
  readonly #parts: EntryParts;
  readonly #table: ConnectionTable;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #timeouts: Float64Array;
  readonly #header: Int32Array;
  readonly #destinations: DestinationTable;
  readonly #ended = new EndedEntry();
  readonly #onDue = (row: number) => this.end(row, "timeout");

  constructor(parts: EntryParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#words = parts.table.words;
    this.#times = parts.table.times;
    this.#timeouts = parts.store.times;
    this.#header = parts.store.header;
    this.#destinations = parts.destinations;
  }

  /** A new entry bound to a destination; 0 when the table is full of live ones. */
  create(flow: Flow, destination: number, destinationPort: number, template: number): number {
    let row = this.#table.add(flow);
    if (row === 0) {
      const oldest = this.#table.oldestEnded;
      if (oldest === 0) return 0;
      this.end(oldest, "evicted");
      row = this.#table.add(flow);
    }
    const base = row * ENTRY_WORDS;
    this.#words[base + ENTRY.template] = template;
    this.#times[row * ENTRY_TIMES + ENTRY_TIME.timeoutMs] = NEW_ENTRY_TIMEOUT_MS;
    this.#bind(row, destination, destinationPort);
    return row;
  }

  /**
   * A new entry without a destination (`cache_bypass`): it is counted at row 0, which no destination has. 0 when the table is
   * full of live ones.
   */
  createBypass(flow: Flow): number {
    const row = this.create(flow, 0, 0, 0);
    if (row === 0) return 0;
    const base = row * ENTRY_WORDS;
    this.#words[base + ENTRY.destination] = 0;
    this.#words[base + ENTRY.flags] = METHOD.bypass | ENTRY_FLAG.inactive;
    return row;
  }

  /** Starts a new entry's timer without a segment. */
  start(row: number, nowMs: number): void {
    this.#table.wheel.set(row, nowMs + NEW_ENTRY_TIMEOUT_MS, nowMs);
  }

  /** A packet that moves no state: the time of the state it is in begins again. */
  restart(row: number, nowMs: number): void {
    const timeoutMs = this.#times[row * ENTRY_TIMES + ENTRY_TIME.timeoutMs] ?? 0;
    this.#table.wheel.set(row, nowMs + timeoutMs, nowMs);
  }

  /** Binds a living entry to another destination; state, timer and handle stay. */
  rebind(row: number, destination: number, destinationPort: number, template: number): void {
    const base = row * ENTRY_WORDS;
    const wasActive = ((this.#words[base + ENTRY.flags] ?? 0) & ENTRY_FLAG.inactive) === 0;
    this.#unbind(row);
    this.#words[base + ENTRY.template] = template;
    this.#bind(row, destination, destinationPort);
    if (wasActive) this.#activate(base, true);
  }

  /** One packet: the next state, its counting and its timeout. The timer is restarted with it. */
  move(row: number, output: boolean, flags: number, nowMs: number): void {
    const base = row * ENTRY_WORDS;
    const protocol = (this.#words[base + ENTRY.kind] ?? 0) & 0xff;
    const timeoutMs = protocol === PROTOCOL.tcp
      ? this.#moveTcp(row, base, output, flags)
      : protocol === PROTOCOL.udp
      ? this.#moveUdp(base, output)
      : this.#moveSctp(row, base, output, flags);
    this.#times[row * ENTRY_TIMES + ENTRY_TIME.timeoutMs] = timeoutMs;
    this.#table.wheel.set(row, nowMs + timeoutMs, nowMs);
  }

  /** The entry's time is up, though nobody may have looked yet. */
  isExpired(row: number, nowMs: number): boolean {
    return (this.#times[row * ENTRY_TIMES + ENTRY_TIME.expiresMs] ?? 0) <= nowMs;
  }

  /** Ends an entry and says so. */
  end(row: number, cause: EndCause): void {
    const { onExpire } = this.#parts;
    if (onExpire === undefined) {
      this.remove(row);
      return;
    }
    const handle = this.#words[row * ENTRY_WORDS + ENTRY.handle] ?? 0;
    const ended = this.#ended;
    ended.cause = cause;
    ended.destination = this.#words[row * ENTRY_WORDS + ENTRY.destination] ?? 0;
    this.readFlow(row, ended.flow);
    this.remove(row);
    onExpire(handle, ended);
  }

  /** Ends an entry, and the template it hung on when that was never assured and nothing else hangs on it. */
  drop(row: number): void {
    const { store, templates, locks } = this.#parts;
    const template = this.#words[row * ENTRY_WORDS + ENTRY.template] ?? 0;
    const handle = templates.handle(template);
    this.end(row, "dropped");
    if (template === 0) return;
    locks.lock(store.header, HEADER.templateLock);
    try {
      // Without the lock another thread may have ended it meanwhile, and used its row again.
      if (templates.handle(template) !== handle || templates.isControlling(template)) return;
      if (!templates.isAssured(template)) templates.remove(template);
    } finally {
      locks.unlock(store.header, HEADER.templateLock);
    }
  }

  /** Takes an entry out of the table: every counter it moved goes back. */
  remove(row: number): void {
    this.#unbind(row);
    this.#table.release(row);
  }

  /** Takes every entry out of the counters and leaves the table as it is: for one whose thread has died. */
  unbindAll(): number {
    let count = 0;
    for (const row of this.#table.rows()) {
      this.#unbind(row);
      count++;
    }
    return count;
  }

  /** Fills a flow with the entry's two sides. */
  readFlow(row: number, flow: Flow): void {
    const base = row * ENTRY_WORDS;
    const words = this.#words;
    flow.protocol = (words[base + ENTRY.kind] ?? 0) & 0xff;
    flow.family = (words[base + ENTRY.kind] ?? 0) >>> 8 === 6 ? 6 : 4;
    flow.clientPort = (words[base + ENTRY.ports] ?? 0) >>> 16;
    flow.virtualPort = (words[base + ENTRY.ports] ?? 0) & 0xffff;
    for (let i = 0; i < 4; i++) {
      flow.client[i] = words[base + ENTRY.client + i] ?? 0;
      flow.virtual[i] = words[base + ENTRY.virtual + i] ?? 0;
    }
    flow.entry = words[base + ENTRY.handle] ?? 0;
  }

  /** Fires the timers that are due in one tick. */
  step(tick: number, nowMs: number): void {
    this.#table.wheel.step(tick, nowMs, this.#onDue);
  }

  /** Ends all entries whose destination was deleted, and the templates that only those used. */
  sweepDeleted(): void {
    const { store, templates, locks } = this.#parts;
    const isDeleted = (handle: number) => {
      // A bypass entry never had one.
      if (handle === 0) return false;
      const slot = this.#destinations.slotOf(handle);
      return slot === 0 || store.destinations[slot * DESTINATION_WORDS + DESTINATION.available] !== 1;
    };
    for (const row of this.#table.rows()) {
      if (isDeleted(this.#words[row * ENTRY_WORDS + ENTRY.destination] ?? 0)) {
        this.end(row, "destination-removed");
      }
    }
    locks.lock(store.header, HEADER.templateLock);
    try {
      for (const row of templates.rows()) {
        if (isDeleted(templates.destination(row)) && !templates.isControlling(row)) templates.remove(row);
      }
    } finally {
      locks.unlock(store.header, HEADER.templateLock);
    }
  }

  #moveTcp(row: number, base: number, output: boolean, flags: number): number {
    const state = this.#words[base + ENTRY.state] ?? 0;
    const secure = (this.#header[SECURE_TCP] ?? 0) >= SECURE_FROM;
    const next = nextTcpState(state, this.#way(base, output), flags, secure);
    if (next !== state) {
      this.#enter(base, next, TCP_ACTIVE[next] === 1, next === TCP_STATE.established);
      this.#table.setEnded(row, next === TCP_STATE.timeWait || next === TCP_STATE.close);
    }
    return this.#timeouts[TCP_TIMEOUT + next] ?? 0;
  }

  #moveSctp(row: number, base: number, output: boolean, event: number): number {
    const state = this.#words[base + ENTRY.state] ?? 0;
    const next = nextSctpState(state, this.#way(base, output), event);
    if (next !== state) {
      this.#enter(base, next, next === SCTP_STATE.established, next === SCTP_STATE.established);
      this.#table.setEnded(row, next === SCTP_STATE.closed);
    }
    return this.#timeouts[SCTP_TIMEOUT + next] ?? 0;
  }

  /** DR and TUN: answers pass by the director, until one is seen after all. */
  #way(base: number, output: boolean): number {
    const flags = this.#words[base + ENTRY.flags] ?? 0;
    if (output) {
      this.#words[base + ENTRY.flags] = flags & ~ENTRY_FLAG.noOutput;
      return TCP_WAY.output;
    }
    return (flags & ENTRY_FLAG.noOutput) === 0 ? TCP_WAY.input : TCP_WAY.inputOnly;
  }

  #enter(base: number, state: number, isActive: boolean, isEstablished: boolean): void {
    const words = this.#words;
    words[base + ENTRY.state] = state;
    const wasActive = ((words[base + ENTRY.flags] ?? 0) & ENTRY_FLAG.inactive) === 0;
    if (isActive !== wasActive) this.#activate(base, isActive);
    if (isEstablished) this.#assure(base);
  }

  /** UDP has one state; an answer assures the template. */
  #moveUdp(base: number, output: boolean): number {
    if (output) this.#assure(base);
    return this.#timeouts[UDP_TIMEOUT] ?? 0;
  }

  #assure(base: number): void {
    const template = this.#words[base + ENTRY.template] ?? 0;
    if (template !== 0) this.#parts.templates.assure(template);
  }

  #activate(base: number, active: boolean): void {
    const flags = this.#words[base + ENTRY.flags] ?? 0;
    this.#words[base + ENTRY.flags] = active ? flags & ~ENTRY_FLAG.inactive : flags | ENTRY_FLAG.inactive;
    this.#destinations.moveConnection(this.#destinationSlot(base), active);
  }

  #bind(row: number, destination: number, destinationPort: number): void {
    const base = row * ENTRY_WORDS;
    const from = destination * DESTINATION_WORDS;
    const { destinations } = this.#parts.store;
    this.#words[base + ENTRY.destination] = destinations[from + DESTINATION.handle] ?? 0;
    this.#words[base + ENTRY.destinationPort] = destinationPort;
    this.#words[base + ENTRY.flags] = destinations[from + DESTINATION.entryFlags] ?? 0;
    this.#destinations.bindConnection(destination);
  }

  #unbind(row: number): void {
    const base = row * ENTRY_WORDS;
    const isActive = ((this.#words[base + ENTRY.flags] ?? 0) & ENTRY_FLAG.inactive) === 0;
    this.#destinations.unbindConnection(this.#destinationSlot(base), isActive);
    const template = this.#words[base + ENTRY.template] ?? 0;
    if (template !== 0) this.#parts.templates.uncontrol(template);
  }

  /** An entry's destination keeps its row as long as the entry names it. */
  #destinationSlot(base: number): number {
    return this.#destinations.slotOf(this.#words[base + ENTRY.destination] ?? 0);
  }
}
