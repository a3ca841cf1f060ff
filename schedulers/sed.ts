/**
 * Shortest expected delay: the fewest active connections for its weight, the new one included; the first in list order of equals.
 *
 * Cells: none.
 *
 * @module
 */
import { leastLoaded } from "./least_loaded.ts";
import { type DestinationList, type Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

/** `sed` of kernel 6.1. */
export const sed: Scheduler = {
  ...STATELESS,
  name: "sed",
  pick: (_question, list) => leastLoaded(list, expectedDelay),
};

/** Active connections and the one asked for; inactive ones cost no time and do not count. */
export function expectedDelay(list: DestinationList, destination: number): number {
  return (list.activeConns(destination) + 1) | 0;
}
