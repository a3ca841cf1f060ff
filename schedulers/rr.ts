/**
 * Round robin: the next destination after the last one chosen. Of a weight only 0 or not 0 counts.
 *
 * Cells: 0 cursor, the destination chosen last, or `NO_DESTINATION` before the head of the list.
 *
 * @module
 */
import { type DestinationList, NO_DESTINATION, type Scheduler } from "./scheduler.ts";

const CURSOR = 0;

/** `rr` of kernel 6.1. */
export const rr: Scheduler = {
  name: "rr",
  cellCount: 1,

  pick(_question, list, cells) {
    const cursor = cells[CURSOR] ?? NO_DESTINATION;
    let chosen = cursor === NO_DESTINATION ? NO_DESTINATION : firstUsable(list, list.next(cursor));
    if (chosen === NO_DESTINATION) chosen = firstUsable(list, list.first);
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

/** The first that may be chosen, `from` included, up to the end of the list. */
function firstUsable(list: DestinationList, from: number): number {
  let destination = from;
  while (destination !== NO_DESTINATION) {
    if (list.weight(destination) > 0 && !list.overloaded(destination)) break;
    destination = list.next(destination);
  }
  return destination;
}
