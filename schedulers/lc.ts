/**
 * Least connection: the smallest overhead, the first in list order of equals. Of a weight only 0 or not 0 counts.
 *
 * Cells: none.
 *
 * @module
 */
import { isEligible } from "./eligible.ts";
import { overhead } from "./overhead.ts";
import { NO_DESTINATION, type Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

/** `lc` of kernel 6.1. */
export const lc: Scheduler = {
  ...STATELESS,
  name: "lc",

  pick(_question, list) {
    let least = NO_DESTINATION;
    let leastLoad = 0;
    for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
      if (!isEligible(list, it)) continue;
      const load = overhead(list, it) >>> 0; // ip_vs_lc.c compares unsigned
      if (least !== NO_DESTINATION && load >= leastLoad) continue;
      least = it;
      leastLoad = load;
    }
    return least;
  },
};
