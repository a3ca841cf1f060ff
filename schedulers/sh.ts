/**
 * Source hashing: a client address always meets the same bucket, and a bucket belongs to one destination.
 *
 * Cells: 0 to 255, the buckets, each a destination or `NO_DESTINATION`.
 *
 * @module
 */
import { isEligible } from "./eligible.ts";
import { clientPort, fold, hash32 } from "./hash.ts";
import { type DestinationList, NO_DESTINATION, type Scheduler, SCHEDULER_FLAG } from "./scheduler.ts";

/** CONFIG_IP_VS_SH_TAB_BITS, 8 unless a kernel was built otherwise. */
const BUCKET_BITS = 8;
const BUCKET_COUNT = 1 << BUCKET_BITS;
const BUCKET_MASK = BUCKET_COUNT - 1;

/** A client whose destination is unavailable is hashed again instead of refused (`-b sh-fallback`). */
export const SH_FALLBACK: number = SCHEDULER_FLAG.flag1;
/** The client's port counts too (`-b sh-port`). */
export const SH_PORT: number = SCHEDULER_FLAG.flag2;

/** `sh` of kernel 6.1. */
export const sh: Scheduler = {
  name: "sh",
  cellCount: BUCKET_COUNT,

  // A flow keeps its client on the client side even when an ICMP error quoted it, so `inverse` changes nothing here.
  pick({ flow, flags }, list, cells) {
    const hash = hash32(fold(flow.client) + ((flags & SH_PORT) !== 0 ? clientPort(flow) : 0), BUCKET_BITS);
    const chosen = cells[hash] ?? NO_DESTINATION;
    if (chosen === NO_DESTINATION || isEligible(list, chosen)) return chosen;
    return (flags & SH_FALLBACK) !== 0 ? probe(list, cells, hash) : NO_DESTINATION;
  },

  start: fill,
  added: fill,
  removing() {},
  removed: fill,
  edited: fill,
};

/** The kernel adds the hash twice, so it probes from `2 * hash` and not from the neighbour. */
function probe(list: DestinationList, cells: Int32Array, hash: number): number {
  for (let offset = 0; offset < BUCKET_COUNT; offset++) {
    const candidate = cells[(offset + hash + hash) & BUCKET_MASK] ?? NO_DESTINATION;
    if (candidate === NO_DESTINATION || isEligible(list, candidate)) return candidate;
  }
  return NO_DESTINATION;
}

/** Deals the buckets out in list order, `weight` in a row, round and round; a destination of weight 0 gets one each round. */
function fill(list: DestinationList, cells: Int32Array): void {
  let owner = list.first;
  let run = 0;
  for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
    cells[bucket] = owner;
    if (owner === NO_DESTINATION || ++run < list.weight(owner)) continue;
    owner = list.next(owner);
    if (owner === NO_DESTINATION) owner = list.first;
    run = 0;
  }
}
