/**
 * `drop_entry`: each second a part of the table is looked at, and entries that most likely nobody needs are ended.
 *
 * @module
 */
import { PROTOCOL } from "../net/flow.ts";
import type { Random } from "../net/random.ts";
import type { ConnectionTable } from "./connections.ts";
import { QuietEntries } from "./defence.ts";
import type { DestinationTable } from "./destinations.ts";
import type { Entries } from "./entries.ts";
import { ENTRY, ENTRY_TIME, ENTRY_TIMES, ENTRY_WORDS } from "./entry_layout.ts";
import {
  DESTINATION,
  DESTINATION_WORDS,
  HEADER,
  SERVICE,
  SERVICE_FLAG,
  SERVICE_WORDS,
  TEMPLATE,
  TEMPLATE_WORDS,
} from "./layout.ts";
import type { Locks } from "./locks.ts";
import { SCTP_STATE } from "./sctp_states.ts";
import type { ServiceTable } from "./services.ts";
import type { Store } from "./store.ts";
import { TCP_STATE } from "./tcp_states.ts";
import type { TemplateTable } from "./templates.ts";

/** The kernel looks at one chain in 32 each second, drawn at random. */
const SHARE = 32;

export interface EntryDroppingParts {
  readonly store: Store;
  readonly table: ConnectionTable;
  readonly services: ServiceTable;
  readonly destinations: DestinationTable;
  readonly templates: TemplateTable;
  readonly entries: Entries;
  readonly locks: Locks;
  readonly random: Random;
}

/** Drops entries of one thread's table, and templates. */
export class EntryDropping {
  readonly #parts: EntryDroppingParts;
  readonly #quiet = new QuietEntries();

  constructor(parts: EntryDroppingParts) {
    this.#parts = parts;
  }

  /** One second's part. */
  run(nowMs: number): void {
    const { store, table, templates, locks, random, entries } = this.#parts;
    for (let i = table.chainCount / SHARE; i >= 1; i--) {
      for (const row of table.rowsOfChain(random.below(table.chainCount))) {
        if (this.#isToGo(row, nowMs)) entries.drop(row);
      }
    }
    if (templates.count === 0) return;
    locks.lock(store.header, HEADER.templateLock);
    try {
      for (let i = templates.chainCount / SHARE; i >= 1; i--) {
        for (const row of templates.rowsOfChain(random.below(templates.chainCount))) {
          if (this.#isTemplateToGo(row, nowMs)) templates.remove(row);
        }
      }
    } finally {
      locks.unlock(store.header, HEADER.templateLock);
    }
  }

  #isToGo(row: number, nowMs: number): boolean {
    const { words, times } = this.#parts.table;
    const base = row * ENTRY_WORDS;
    // Whoever was told of an end may have ended the next one.
    if ((words[base + ENTRY.handle] ?? 0) <= 0) return false;
    const protocol = (words[base + ENTRY.kind] ?? 0) & 0xff;
    const state = words[base + ENTRY.state];
    if (protocol === PROTOCOL.tcp) {
      if (state === TCP_STATE.synReceived || state === TCP_STATE.synAck) return true;
      if (state !== TCP_STATE.established) return false;
    } else if (protocol === PROTOCOL.sctp) {
      if (state === SCTP_STATE.init1 || state === SCTP_STATE.init) return true;
      if (state !== SCTP_STATE.established) return false;
    }
    const at = row * ENTRY_TIMES;
    const lastMs = (times[at + ENTRY_TIME.expiresMs] ?? 0) - (times[at + ENTRY_TIME.timeoutMs] ?? 0);
    return this.#quiet.drops(nowMs - lastMs, words[base + ENTRY.inPackets] ?? 0);
  }

  /** Those that were never assured go at once, those of a one-packet service when they are quiet. */
  #isTemplateToGo(row: number, nowMs: number): boolean {
    const { store, templates } = this.#parts;
    const base = row * TEMPLATE_WORDS;
    if (templates.isControlling(row)) return false;
    if (!this.#isOnePacket(templates.destination(row))) return store.templates[base + TEMPLATE.assured] === 0;
    const quietMs = nowMs - (templates.expiresMs(row) - templates.timeoutMs(row));
    return this.#quiet.drops(quietMs, store.templates[base + TEMPLATE.inPackets] ?? 0);
  }

  #isOnePacket(destination: number): boolean {
    const { store, services, destinations } = this.#parts;
    const row = destinations.slotOf(destination);
    const service = services.slotOf(store.destinations[row * DESTINATION_WORDS + DESTINATION.service] ?? 0);
    const flags = store.services[service * SERVICE_WORDS + SERVICE.flags] ?? 0;
    return service !== 0 && (flags & SERVICE_FLAG.onePacket) !== 0;
  }
}
