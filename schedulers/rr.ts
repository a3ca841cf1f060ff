/**
 * Round robin: the next destination after the last one chosen. Of a weight only 0 or not 0 counts.
 *
 * Cells: 0 cursor, the destination chosen last, or `NO_DESTINATION` before the head of the list.
 *
 * @module
 */
import { isEligible } from "./eligible.ts";
import { type DestinationList, NO_DESTINATION, type Scheduler } from "./scheduler.ts";

const CURSOR = 0;

/** `rr` of kernel 6.1. */
export const rr: Scheduler = {
  name: "rr",
  cellCount: 1,

  pick(_question, list, cells) {
    const cursor = cells[CURSOR] ?? NO_DESTINATION;
    let chosen = cursor === NO_DESTINATION ? NO_DESTINATION : firstEligible(list, list.next(cursor));
    if (chosen === NO_DESTINATION) chosen = firstEligible(list, list.first);
    if (chosen !== NO_DESTINATION) cells[CURSOR] = chosen;
    return chosen;
  },

  start(_list, cells) {
    cells[CURSOR] = NO_DESTINATION;
  },
  removing(list, cells, destination) {
    // The successor is served next: the cursor goes to the predecessor, as in ip_vs_rr_del_dest.
    if (cells[CURSOR] === destination) cells[CURSOR] = list.previous(destination);
  },
  // A destination added at the head is reached when the walk wraps; a new weight is read where it is needed.
  added() {},
  removed() {},
  edited() {},
};

/** The first eligible one, `from` included, up to the end of the list. */
function firstEligible(list: DestinationList, from: number): number {
  let destination = from;
  while (destination !== NO_DESTINATION && !isEligible(list, destination)) {
    destination = list.next(destination);
  }
  return destination;
}
