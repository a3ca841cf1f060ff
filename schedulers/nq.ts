/**
 * Never queue: the first destination in list order without an active connection, whatever its weight; without one the shortest
 * expected delay.
 *
 * Cells: none.
 *
 * @module
 */
import { DELAY, loadOf, productExceeds } from "./overhead.ts";
import { NO_DESTINATION, type Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

/** `nq` of kernel 6.1. */
export const nq: Scheduler = {
  ...STATELESS,
  name: "nq",

  pick(_question, list) {
    let least = NO_DESTINATION;
    let leastLoad = 0;
    let leastWeight = 0;
    for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
      const weight = list.weight(it);
      if (weight <= 0 || list.overloaded(it)) continue;
      // The first idle one, not the fastest of them, as descriptions of nq have it.
      if (list.activeConns(it) === 0) return it;
      const load = loadOf(list, it, DELAY);
      if (least !== NO_DESTINATION && !productExceeds(leastLoad, weight, load, leastWeight)) continue;
      least = it;
      leastLoad = load;
      leastWeight = weight;
    }
    return least;
  },
};
