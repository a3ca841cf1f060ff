/**
 * Weighted overflow: the highest weight until it has more active connections than that, then the next highest. A weight is a
 * capacity here, and when all are full nobody is chosen.
 *
 * Cells: none.
 *
 * @module
 */
import { NO_DESTINATION, type Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

/** `ovf` of kernel 6.1. */
export const ovf: Scheduler = {
  ...STATELESS,
  name: "ovf",

  pick(_question, list) {
    let chosen = NO_DESTINATION;
    let highest = 0;
    for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
      const weight = list.weight(it);
      if (weight <= highest || list.activeConns(it) > weight || list.overloaded(it)) continue;
      chosen = it;
      highest = weight;
    }
    return chosen;
  },
};
