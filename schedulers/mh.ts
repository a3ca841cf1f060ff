/**
 * Maglev hashing: a client address always meets the same bucket of a large table that the destinations fill in an order of their
 * own, so that one that comes or goes moves few clients.
 *
 * Cells: 0 to 4092, the buckets, each a destination or `NO_DESTINATION`.
 *
 * @module
 */
import { greatestCommonDivisor } from "./divisor.ts";
import { isEligible } from "./eligible.ts";
import { clientPort, fold } from "./hash.ts";
import { type DestinationList, NO_DESTINATION, type Scheduler, SCHEDULER_FLAG } from "./scheduler.ts";
import { hsiphash } from "./siphash.ts";

/** The kernel's prime for CONFIG_IP_VS_MH_TAB_INDEX 12, and the weight bits that go with it. */
const BUCKET_COUNT = 4_093;
const WEIGHT_BITS = 6;
const OFFSET_KEY = 2_654_435_761;
const SKIP_KEY = 2_654_446_892;

/** A client whose destination is unavailable is hashed again instead of refused (`-b mh-fallback`). */
export const MH_FALLBACK: number = SCHEDULER_FLAG.flag1;
/** The client's port counts too (`-b mh-port`). */
export const MH_PORT: number = SCHEDULER_FLAG.flag2;

/** `mh` of kernel 6.1 on a 64-bit machine. */
export const mh: Scheduler = {
  name: "mh",
  cellCount: BUCKET_COUNT,

  // A flow keeps its client on the client side even when an ICMP error quoted it, so `inverse` changes nothing here.
  pick({ flow, flags }, list, cells) {
    const key = (fold(flow.client) + ((flags & MH_PORT) !== 0 ? clientPort(flow) : 0)) | 0;
    const bucket = bucketOf(key);
    const chosen = cells[bucket] ?? NO_DESTINATION;
    if (chosen === NO_DESTINATION || isUsable(list, chosen)) return chosen;
    return (flags & MH_FALLBACK) !== 0 ? probe(list, cells, key, bucket) : NO_DESTINATION;
  },

  start(list, cells) {
    cells.fill(NO_DESTINATION);
    fill(list, cells);
  },
  added: fill,
  removing() {},
  removed: fill,
  edited: fill,
};

/** Hashes again with the next offset, as long as it takes. */
function probe(list: DestinationList, cells: Int32Array, key: number, bucket: number): number {
  for (let offset = 0; offset < BUCKET_COUNT; offset++) {
    const candidate = cells[bucketOf((key + (offset + bucket) % BUCKET_COUNT) | 0)] ?? NO_DESTINATION;
    if (candidate === NO_DESTINATION || isUsable(list, candidate)) return candidate;
  }
  return NO_DESTINATION;
}

function bucketOf(key: number): number {
  return (hsiphash(key, OFFSET_KEY) >>> 0) % BUCKET_COUNT;
}

/** A table that more destinations kept from being filled may name one that has left; the kernel would still choose it. */
function isUsable(list: DestinationList, destination: number): boolean {
  return isEligible(list, destination) && list.available(destination);
}

/** One destination while the table is filled. */
interface Claim {
  readonly destination: number;
  /** Buckets taken in a row. */
  readonly turns: number;
  readonly skip: number;
  position: number;
}

/**
 * The destinations take buckets in turns, each along its own walk over the table. Weights are the last ones that were not 0:
 * quiescing moves nobody.
 */
function fill(list: DestinationList, cells: Int32Array): void {
  if (list.size > BUCKET_COUNT) return; // the kernel then keeps the old table
  cells.fill(NO_DESTINATION);
  const claims = claimsOf(list).filter(({ turns }) => turns > 0);
  let free = claims.length === 0 ? 0 : BUCKET_COUNT;
  while (free > 0) {
    for (const claim of claims) {
      for (let turn = 0; turn < claim.turns && free > 0; turn++, free--) {
        while (cells[claim.position] !== NO_DESTINATION) {
          claim.position = (claim.position + claim.skip) % BUCKET_COUNT;
        }
        cells[claim.position] = claim.destination;
      }
    }
  }
}

function claimsOf(list: DestinationList): Claim[] {
  let divisor = 0;
  let heaviest = 0;
  for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
    divisor = greatestCommonDivisor(list.lastWeight(it), divisor);
    heaviest = Math.max(heaviest, list.lastWeight(it));
  }
  if (divisor === 0) return [];
  const shift = Math.max(0, 32 - Math.clz32(heaviest / divisor) - WEIGHT_BITS);
  const claims: Claim[] = [];
  for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
    const weight = list.lastWeight(it);
    const key = destinationKey(list, it);
    claims.push({
      destination: it,
      turns: (weight / divisor) >> shift || (weight === 0 ? 0 : 1),
      skip: (hsiphash(key, SKIP_KEY) >>> 0) % (BUCKET_COUNT - 1) + 1,
      position: bucketOf(key),
    });
  }
  return claims;
}

function destinationKey(list: DestinationList, destination: number): number {
  let address = 0;
  for (let i = 0; i < 4; i++) address ^= list.addressWord(destination, i);
  return (address + list.port(destination)) | 0;
}
