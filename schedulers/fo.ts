/**
 * Weighted fail-over: all connections go to the highest weight, the first in list order of equals.
 *
 * Cells: none.
 *
 * @module
 */
import { NO_DESTINATION, type Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

/** `fo` of kernel 6.1. */
export const fo: Scheduler = {
  ...STATELESS,
  name: "fo",

  pick(_question, list) {
    let chosen = NO_DESTINATION;
    let highest = 0;
    for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
      const weight = list.weight(it);
      if (weight <= highest || list.overloaded(it)) continue;
      chosen = it;
      highest = weight;
    }
    return chosen;
  },
};
