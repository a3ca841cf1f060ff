/**
 * Weighted least connection: the smallest overhead for its weight, the first in list order of equals.
 *
 * Cells: none.
 *
 * @module
 */
import { overhead, productExceeds } from "./overhead.ts";
import { type DestinationList, NO_DESTINATION, type Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

/** `wlc` of kernel 6.1, the default of ipvsadm. */
export const wlc: Scheduler = {
  ...STATELESS,
  name: "wlc",

  pick(_question, list) {
    return leastLoaded(list);
  },
};

/** The choice of `wlc` over the whole list, which other schedulers fall back on. */
export function leastLoaded(list: DestinationList): number {
  let least = NO_DESTINATION;
  let leastLoad = 0;
  let leastWeight = 0;
  for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
    const weight = list.weight(it);
    if (weight <= 0 || list.overloaded(it)) continue;
    const load = overhead(list, it);
    if (least !== NO_DESTINATION && !productExceeds(leastLoad, weight, load, leastWeight)) continue;
    least = it;
    leastLoad = load;
    leastWeight = weight;
  }
  return least;
}
