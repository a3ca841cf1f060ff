/**
 * The power of two choices: two random draws by weight, and of these the smaller overhead for its weight.
 *
 * Cells: none.
 *
 * @module
 */
import type { Random } from "../net/random.ts";
import { isEligible } from "./eligible.ts";
import { overhead } from "./overhead.ts";
import { type DestinationList, NO_DESTINATION, type Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

/** `twos` as kernel 6.1 specifies it; there are no recordings of it, the recorded kernel was built without. */
export const twos: Scheduler = {
  ...STATELESS,
  name: "twos",

  pick(_question, list, _cells, _nowMs, random) {
    if (firstEligible(list) === NO_DESTINATION) return NO_DESTINATION;
    const total = totalWeight(list);
    // Both ends of the range can be drawn, which favours the first in the list by one.
    const first = owner(list, draw(random, total));
    const second = owner(list, draw(random, total));
    // The kernel multiplies in 32 bits here, other than in wlc: with huge weights the comparison wraps.
    const firstProduct = Math.imul(list.weight(second), overhead(list, first));
    const secondProduct = Math.imul(list.weight(first), overhead(list, second));
    return firstProduct > secondProduct ? second : first;
  },
};

function firstEligible(list: DestinationList): number {
  let it = list.first;
  while (it !== NO_DESTINATION && !isEligible(list, it)) it = list.next(it);
  return it;
}

/** The sum of the eligible weights in the kernel's 32-bit integer, which wraps. */
function totalWeight(list: DestinationList): number {
  let total = 0;
  for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
    if (isEligible(list, it)) total = (total + list.weight(it)) | 0;
  }
  return total;
}

/** A number from 0 to `total`, both included. */
function draw(random: Random, total: number): number {
  const limit = (total + 1) >>> 0;
  return limit === 0 ? 0 : random.below(limit) | 0;
}

/** The destination in whose share of the total weight `draw` falls. */
function owner(list: DestinationList, draw: number): number {
  let rest = draw;
  let last = NO_DESTINATION;
  for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
    if (!isEligible(list, it)) continue;
    last = it;
    rest = (rest - list.weight(it)) | 0;
    if (rest <= 0) break;
  }
  return last;
}
