/**
 * Locality-based least connection: a virtual address stays with its server until that is quiesced, gone or overrun, and then moves
 * to the one that `wlc` would choose. Made for caches behind a service of a mark.
 *
 * Cells: those of locality.ts; cell 1 of an entry is its server.
 *
 * @module
 */
import { leastLoaded } from "./least_loaded.ts";
import {
  addEntry,
  clearTable,
  collect,
  DEFAULT_EXPIRATION_MS,
  ENTRY,
  findEntry,
  isOverrun,
  keyOf,
  someEntry,
  TABLE_CELLS,
  tickOf,
} from "./locality.ts";
import { OVERHEAD } from "./overhead.ts";
import { NO_DESTINATION, type Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

const SERVER = ENTRY.first;

/** `lblc` of kernel 6.1. */
export const lblc: Scheduler = {
  ...STATELESS,
  name: "lblc",
  cellCount: TABLE_CELLS,
  start: (_list, cells) => clearTable(cells),

  pick(question, list, cells, nowMs) {
    const tick = tickOf(nowMs);
    collect(cells, tick, question.lblcExpirationMs ?? DEFAULT_EXPIRATION_MS, nothing);
    const address = keyOf(question);
    const entry = findEntry(cells, address);
    if (entry !== 0) {
      cells[entry + ENTRY.lastUse] = tick;
      const server = cells[entry + SERVER] ?? NO_DESTINATION;
      // A threshold reached does not move the address: only a new choice heeds it.
      if (list.available(server) && list.weight(server) > 0 && !isOverrun(list, server)) return server;
    }
    const chosen = leastLoaded(list, OVERHEAD);
    if (chosen === NO_DESTINATION) return NO_DESTINATION;
    const home = entry === 0 ? addEntry(cells, address, tick) : entry;
    if (home !== 0) cells[home + SERVER] = chosen;
    return chosen;
  },

  remembers: (cells, destination) => someEntry(cells, (entry) => cells[entry + SERVER] === destination),
};

function nothing(): void {}
