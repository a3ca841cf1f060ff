/**
 * What lblc and lblcr remember: for each virtual address who served it last, forgotten after a long time without a connection.
 *
 * Cells: 0 number of entries; 1 checks since the last full one; 2 bucket where the last check ended; 3 first free entry;
 * 4 entries ever used; 5 tick of the last check, plus 1; 6 and 7 for the scheduler; 8 to 1031 buckets; then the entries.
 * An entry: 0 next of the bucket (or of the free list); 1 and 3 for the scheduler; 2 tick of its last use; 4 to 7 address.
 * Entries are named by the index of their first cell; 0 is none.
 *
 * @module
 */
import { fold, hash32 } from "./hash.ts";
import { type DestinationList, NO_DESTINATION, type Question } from "./scheduler.ts";

const ENTRIES = 0;
const CHECKS = 1;
const ROVER = 2;
const FREE = 3;
const USED = 4;
const CHECKED = 5;
/** First of two cells that a scheduler has for itself. */
export const OWN_CELLS = 6;
const BUCKETS = 8;

/** IP_VS_LBLC_TAB_BITS and IP_VS_LBLCR_TAB_BITS of the kernel. */
const BUCKET_BITS = 10;
const BUCKET_COUNT = 1 << BUCKET_BITS;
/** Above 16 entries a bucket the table is thinned out. */
const FULL_SIZE = 16 * BUCKET_COUNT;
/** The kernel has a limit of 1.5 times the full size since 7.3, 6.1 has none; memory must end somewhere. */
const CAPACITY = FULL_SIZE * 3 / 2;
const FIRST_ENTRY = BUCKETS + BUCKET_COUNT;
const ENTRY_CELLS = 8;
/** Cells of the table; a scheduler's further cells follow. */
export const TABLE_CELLS: number = FIRST_ENTRY + CAPACITY * ENTRY_CELLS;

/** Cells of an entry. */
export const ENTRY = { next: 0, first: 1, lastUse: 2, second: 3, address: 4 } as const;

/**
 * Times are kept in jiffies, as the kernel has them at 250 Hz. 2^32 of them are 198 days; differences survive the wrap, and an
 * address that nobody asked for in a longer time looks younger than it is.
 */
export const TICK_MS = 4;
const CHECK_TICKS = 60_000 / TICK_MS;
/** Every 30th check looks at all entries. */
const FULL_CHECK_EVERY = 30;
/** An entry that is to make room must have been idle for 6 minutes. */
const IDLE_TICKS = 360_000 / TICK_MS;
/** Default of the switches lblc_expiration and lblcr_expiration: one day. */
export const DEFAULT_EXPIRATION_MS = 86_400_000;

/** Gives back what an entry holds besides its own cells. */
export type Discard = (cells: Int32Array, entry: number) => void;

export function clearTable(cells: Int32Array): void {
  cells.fill(0);
  cells[CHECKS] = 1;
}

export function tickOf(nowMs: number): number {
  return Math.floor(nowMs / TICK_MS) | 0;
}

/** Ticks from one to the other, 0 to 2^32 - 1. */
export function ticksBetween(earlier: number, later: number): number {
  return (later - earlier) >>> 0;
}

/** The address that counts: the packet's destination, also when an ICMP error quoted the packet (then it is the client). */
export function keyOf({ flow, inverse }: Question): Uint32Array {
  return inverse ? flow.client : flow.virtual;
}

/** The address's entry, 0 for none. */
export function findEntry(cells: Int32Array, address: Uint32Array): number {
  let entry = cells[bucketOf(address)] ?? 0;
  while (entry !== 0 && !isOf(cells, entry, address)) entry = cells[entry + ENTRY.next] ?? 0;
  return entry;
}

/** A fresh entry at the head of its bucket; 0 when there is no room. */
export function addEntry(cells: Int32Array, address: Uint32Array, tick: number): number {
  let entry = cells[FREE] ?? 0;
  if (entry !== 0) cells[FREE] = cells[entry + ENTRY.next] ?? 0;
  else {
    const used = cells[USED] ?? 0;
    if (used === CAPACITY) return 0;
    cells[USED] = used + 1;
    entry = FIRST_ENTRY + used * ENTRY_CELLS;
  }
  const bucket = bucketOf(address);
  cells[entry + ENTRY.next] = cells[bucket] ?? 0;
  cells[bucket] = entry;
  cells[entry + ENTRY.lastUse] = tick;
  for (let i = 0; i < 4; i++) cells[entry + ENTRY.address + i] = address[i] ?? 0;
  cells[ENTRIES] = (cells[ENTRIES] ?? 0) + 1;
  return entry;
}

/**
 * Makes up for the checks that the kernel's timer would have made since the last call, one a minute. Nothing else happened
 * meanwhile, so each finds what it would have found. The kernel's timer starts with the service, this one at the first call.
 */
export function collect(cells: Int32Array, tick: number, expirationMs: number, discard: Discard): void {
  const last = cells[CHECKED] ?? 0;
  if (last === 0) {
    cells[CHECKED] = (tick + 1) | 0;
    return;
  }
  const due = Math.floor(ticksBetween(last, tick + 1) / CHECK_TICKS);
  if (due === 0) return;
  cells[CHECKED] = (last + due * CHECK_TICKS) | 0;
  // Whole rounds after the first one find nothing new.
  const skipped = due < 2 * FULL_CHECK_EVERY ? 0 : due - FULL_CHECK_EVERY - due % FULL_CHECK_EVERY;
  for (let check = skipped + 1; check <= due; check++) {
    checkOnce(cells, (last - 1 + check * CHECK_TICKS) | 0, expirationMs, discard);
  }
}

function checkOnce(cells: Int32Array, tick: number, expirationMs: number, discard: Discard): void {
  const checks = cells[CHECKS] ?? 1;
  const surplus = (cells[ENTRIES] ?? 0) - FULL_SIZE;
  if (checks % FULL_CHECK_EVERY === 0) {
    sweep(cells, tick, expirationMs / TICK_MS, Infinity, discard);
    cells[CHECKS] = 1;
  } else if (surplus <= 0) cells[CHECKS] = checks + 1;
  else sweep(cells, tick, IDLE_TICKS, Math.min(Math.floor(surplus * 4 / 3), FULL_SIZE / 2), discard);
}

/** Whether any entry passes the test. */
export function someEntry(cells: Int32Array, test: (entry: number) => boolean): boolean {
  for (let bucket = BUCKETS; bucket < FIRST_ENTRY; bucket++) {
    for (let entry = cells[bucket] ?? 0; entry !== 0; entry = cells[entry + ENTRY.next] ?? 0) {
      if (test(entry)) return true;
    }
  }
  return false;
}

/**
 * A server that has more connections than its weight while another one is less than half busy, which then may take over. Thresholds
 * are another matter.
 */
export function isOverrun(list: DestinationList, destination: number): boolean {
  if (list.activeConns(destination) <= list.weight(destination)) return false;
  for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
    if (list.activeConns(it) * 2 < list.weight(it)) return true;
  }
  return false;
}

/** Removes entries not used for `idleTicks`, bucket by bucket, until `goal` of them are gone. */
function sweep(cells: Int32Array, tick: number, idleTicks: number, goal: number, discard: Discard): void {
  let bucket = cells[ROVER] ?? 0;
  let left = goal;
  for (let i = 0; i < BUCKET_COUNT && left > 0; i++) {
    bucket = (bucket + 1) & (BUCKET_COUNT - 1);
    let link = BUCKETS + bucket;
    for (let entry = cells[link] ?? 0; entry !== 0; entry = cells[link] ?? 0) {
      if (ticksBetween(cells[entry + ENTRY.lastUse] ?? 0, tick) < idleTicks) {
        link = entry + ENTRY.next;
        continue;
      }
      cells[link] = cells[entry + ENTRY.next] ?? 0;
      discard(cells, entry);
      cells[entry + ENTRY.next] = cells[FREE] ?? 0;
      cells[FREE] = entry;
      cells[ENTRIES] = (cells[ENTRIES] ?? 0) - 1;
      left--;
    }
  }
  cells[ROVER] = bucket;
}

function bucketOf(address: Uint32Array): number {
  return BUCKETS + hash32(fold(address), BUCKET_BITS);
}

function isOf(cells: Int32Array, entry: number, address: Uint32Array): boolean {
  const at = entry + ENTRY.address;
  return cells[at] === ((address[0] ?? 0) | 0) && cells[at + 1] === ((address[1] ?? 0) | 0) &&
    cells[at + 2] === ((address[2] ?? 0) | 0) && cells[at + 3] === ((address[3] ?? 0) | 0);
}
