/**
 * Never queue: the first destination in list order without an active connection, whatever its weight; without one the shortest
 * expected delay.
 *
 * Cells: none.
 *
 * @module
 */
import { isEligible } from "./eligible.ts";
import { leastLoaded } from "./least_loaded.ts";
import { NO_DESTINATION, type Scheduler } from "./scheduler.ts";
import { expectedDelay } from "./sed.ts";
import { STATELESS } from "./stateless.ts";

/** `nq` of kernel 6.1. */
export const nq: Scheduler = {
  ...STATELESS,
  name: "nq",

  pick(_question, list) {
    for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
      if (list.activeConns(it) === 0 && isEligible(list, it)) return it;
    }
    return leastLoaded(list, expectedDelay);
  },
};
