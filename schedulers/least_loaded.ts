/**
 * The search behind the schedulers that divide a load by a weight.
 *
 * @module
 */
import { type Cost, loadOf, productExceeds } from "./overhead.ts";
import { type DestinationList, NO_DESTINATION } from "./scheduler.ts";

/** The eligible destination with the smallest load for its weight, the first in list order of equals. */
export function leastLoaded(list: DestinationList, cost: Cost): number {
  let least = NO_DESTINATION;
  let leastLoad = 0;
  let leastWeight = 0;
  for (let it = list.first; it !== NO_DESTINATION; it = list.next(it)) {
    const weight = list.weight(it);
    if (weight <= 0 || list.overloaded(it)) continue;
    const load = loadOf(list, it, cost);
    if (least !== NO_DESTINATION && !productExceeds(leastLoad, weight, load, leastWeight)) continue;
    least = it;
    leastLoad = load;
    leastWeight = weight;
  }
  return least;
}
