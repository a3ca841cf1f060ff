/**
 * Destination hashing: a virtual address always meets the same bucket, and the buckets go round the list. Made for services of a
 * mark that cover many addresses; a service of one address has one server.
 *
 * Cells: 0 to 255, the buckets, each a destination or `NO_DESTINATION`.
 *
 * @module
 */
import { fold, hash32 } from "./hash.ts";
import { type DestinationList, NO_DESTINATION, type Scheduler } from "./scheduler.ts";

/** CONFIG_IP_VS_DH_TAB_BITS, 8 unless a kernel was built otherwise. */
const BUCKET_BITS = 8;
const BUCKET_COUNT = 1 << BUCKET_BITS;

/** `dh` of kernel 6.1. */
export const dh: Scheduler = {
  name: "dh",
  cellCount: BUCKET_COUNT,

  pick({ flow, inverse }, list, cells) {
    // The kernel takes the packet's destination even from a packet quoted in an ICMP error, where that is the client.
    const address = inverse ? flow.client : flow.virtual;
    const chosen = cells[hash32(fold(address), BUCKET_BITS)] ?? NO_DESTINATION;
    if (chosen === NO_DESTINATION || list.weight(chosen) <= 0) return NO_DESTINATION;
    return list.overloaded(chosen) || !list.available(chosen) ? NO_DESTINATION : chosen;
  },

  start: fill,
  added: fill,
  removing() {},
  removed: fill,
  // A bucket's owner does not depend on weights, but it does on the order.
  edited: fill,
};

function fill(list: DestinationList, cells: Int32Array): void {
  let owner = list.first;
  for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
    cells[bucket] = owner;
    if (owner !== NO_DESTINATION) owner = list.next(owner);
    if (owner === NO_DESTINATION) owner = list.first;
  }
}
