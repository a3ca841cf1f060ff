/**
 * A copy of a store, so that a question can be played through without changing anything.
 *
 * @module
 */
import { type Flow, reversed } from "../net/flow.ts";
import type { ConnectionTable } from "./connections.ts";
import { HEADER, SERVICE, SERVICE_WORDS } from "./layout.ts";
import type { Locks } from "./locks.ts";
import type { ServiceTable } from "./services.ts";
import { Store } from "./store.ts";

/** Copies a store at a moment when no thread is in the middle of a decision; the copy is for one thread. */
export function copyStore(store: Store, services: ServiceTable, locks: Locks): Store {
  const words: (readonly [Int32Array, number])[] = [[store.header, HEADER.controlLock]];
  for (const slot of services.slots()) words.push([store.services, slot * SERVICE_WORDS + SERVICE.lock]);
  // A decision takes its service's lock before that of the templates; so does this.
  words.push([store.header, HEADER.templateLock]);
  const held: (readonly [Int32Array, number])[] = [];
  try {
    for (const word of words) {
      locks.lock(...word);
      held.push(word);
    }
    const copy = Store.attach(copyMemory(store.buffer));
    copy.header[HEADER.controlLock] = copy.header[HEADER.templateLock] = 0;
    for (const slot of services.slots()) copy.services[slot * SERVICE_WORDS + SERVICE.lock] = 0;
    return copy;
  } finally {
    for (const word of held.reverse()) locks.unlock(...word);
  }
}

/** The same bytes in memory of one thread. */
export function copyMemory(buffer: ArrayBufferLike): ArrayBuffer {
  const copy = new ArrayBuffer(buffer.byteLength);
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

/** Takes a copy of a flow's entry out of the table of whatever thread holds it; the flow may be a real server's. */
export function adoptEntry(
  into: ConnectionTable,
  tables: Iterable<ConnectionTable>,
  about: Flow,
  nowMs: number,
): void {
  const back = reversed(about);
  for (const table of tables) {
    const row = table.search(about, false) || table.search(back, true);
    if (row === 0) continue;
    into.adopt(table, row, nowMs);
    return;
  }
}
