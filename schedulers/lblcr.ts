/**
 * Locality-based least connection with replication: a virtual address has a set of servers, the least loaded of which is used. An
 * overrun set gets one server more; one that has not changed for long loses its most loaded.
 *
 * Cells: those of locality.ts; cell 1 of an entry is the first member of its set, cell 3 the tick of the set's last change. Cell 6 is
 * the first free member, cell 7 how many were ever used. Behind the table the members: 0 next, 1 server. Members are named by
 * the index of their first cell; 0 is none.
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
  OWN_CELLS,
  someEntry,
  TABLE_CELLS,
  TICK_MS,
  tickOf,
  ticksBetween,
} from "./locality.ts";
import { OVERHEAD, overhead, productExceeds } from "./overhead.ts";
import { type DestinationList, NO_DESTINATION, type Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

const SET = ENTRY.first;
const CHANGED = ENTRY.second;
const FREE = OWN_CELLS;
const USED = OWN_CELLS + 1;
const MEMBER = { next: 0, server: 1 } as const;
const MEMBER_CELLS = 2;
/** Two servers for each address that the table can hold; a set that finds no room uses a server without noting it. */
const MEMBERS = 49_152;

/** `lblcr` of kernel 6.1. */
export const lblcr: Scheduler = {
  ...STATELESS,
  name: "lblcr",
  cellCount: TABLE_CELLS + MEMBERS * MEMBER_CELLS,
  start: (_list, cells) => clearTable(cells),

  pick(question, list, cells, nowMs) {
    const tick = tickOf(nowMs);
    const expirationMs = question.lblcrExpirationMs ?? DEFAULT_EXPIRATION_MS;
    collect(cells, tick, expirationMs, discardSet);
    const address = keyOf(question);
    const entry = findEntry(cells, address);
    if (entry !== 0) {
      cells[entry + ENTRY.lastUse] = tick;
      const server = leastLoadedMember(list, cells, entry);
      // The set may lose the very server that is about to be used: the kernel does not look again.
      shrink(list, cells, entry, tick, expirationMs);
      if (server !== NO_DESTINATION && !isOverrun(list, server)) return server;
    }
    const chosen = leastLoaded(list, OVERHEAD);
    if (chosen === NO_DESTINATION) return NO_DESTINATION;
    if (entry !== 0) join(cells, entry, chosen, tick);
    else begin(cells, address, chosen, tick);
    return chosen;
  },

  remembers: (cells, destination) => someEntry(cells, (entry) => memberOf(cells, entry, destination) !== 0),
};

function begin(cells: Int32Array, address: Uint32Array, server: number, tick: number): void {
  const entry = addEntry(cells, address, tick);
  if (entry === 0) return;
  cells[entry + SET] = 0;
  join(cells, entry, server, tick);
}

/** Puts a server at the head of the set, unless it is in it. */
function join(cells: Int32Array, entry: number, server: number, tick: number): void {
  if (memberOf(cells, entry, server) !== 0) return;
  const member = take(cells);
  if (member === 0) return;
  cells[member + MEMBER.next] = cells[entry + SET] ?? 0;
  cells[member + MEMBER.server] = server;
  cells[entry + SET] = member;
  cells[entry + CHANGED] = tick;
}

/** The server's member in the set, 0 for none. */
function memberOf(cells: Int32Array, entry: number, server: number): number {
  let member = cells[entry + SET] ?? 0;
  while (member !== 0 && serverOf(cells, member) !== server) member = nextOf(cells, member);
  return member;
}

/** The comparison of `wlc` inside the set, newest member first. */
function leastLoadedMember(list: DestinationList, cells: Int32Array, entry: number): number {
  let least = NO_DESTINATION;
  let leastLoad = 0;
  for (let it = cells[entry + SET] ?? 0; it !== 0; it = nextOf(cells, it)) {
    const server = serverOf(cells, it);
    if (!list.available(server) || list.overloaded(server)) continue;
    const weight = list.weight(server);
    if (weight <= 0) continue;
    const load = overhead(list, server);
    if (least !== NO_DESTINATION && !productExceeds(leastLoad, weight, load, list.weight(least))) continue;
    least = server;
    leastLoad = load;
  }
  return least;
}

/** Takes the most loaded server out of a set of several that has not changed for the expiration time. */
function shrink(
  list: DestinationList,
  cells: Int32Array,
  entry: number,
  tick: number,
  expirationMs: number,
): void {
  const first = cells[entry + SET] ?? 0;
  if (first === 0 || nextOf(cells, first) === 0) return;
  if (ticksBetween(cells[entry + CHANGED] ?? 0, tick) * TICK_MS <= expirationMs) return;
  const most = mostLoadedMember(list, cells, first);
  if (most === 0) return;
  let link = entry + SET;
  while (cells[link] !== most) link = (cells[link] ?? 0) + MEMBER.next;
  cells[link] = nextOf(cells, most);
  give(cells, most);
  cells[entry + CHANGED] = tick;
}

function mostLoadedMember(list: DestinationList, cells: Int32Array, first: number): number {
  let most = 0;
  let mostLoad = 0;
  let mostWeight = 0;
  for (let it = first; it !== 0; it = nextOf(cells, it)) {
    const server = serverOf(cells, it);
    const weight = list.weight(server);
    // Deleted and overloaded ones count as well; a quiesced one can never be taken out.
    if (weight <= 0) continue;
    const load = overhead(list, server);
    if (most !== 0 && !productExceeds(load, mostWeight, mostLoad, weight)) continue;
    most = it;
    mostLoad = load;
    mostWeight = weight;
  }
  return most;
}

function discardSet(cells: Int32Array, entry: number): void {
  for (let it = cells[entry + SET] ?? 0; it !== 0;) {
    const next = nextOf(cells, it);
    give(cells, it);
    it = next;
  }
}

function take(cells: Int32Array): number {
  const free = cells[FREE] ?? 0;
  if (free !== 0) {
    cells[FREE] = nextOf(cells, free);
    return free;
  }
  const used = cells[USED] ?? 0;
  if (used === MEMBERS) return 0;
  cells[USED] = used + 1;
  return TABLE_CELLS + used * MEMBER_CELLS;
}

function give(cells: Int32Array, member: number): void {
  cells[member + MEMBER.next] = cells[FREE] ?? 0;
  cells[FREE] = member;
}

function nextOf(cells: Int32Array, member: number): number {
  return cells[member + MEMBER.next] ?? 0;
}

function serverOf(cells: Int32Array, member: number): number {
  return cells[member + MEMBER.server] ?? NO_DESTINATION;
}
