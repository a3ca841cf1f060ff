/**
 * Shortest expected delay: the fewest active connections for its weight, the new one included; the first in list order of equals.
 *
 * Cells: none.
 *
 * @module
 */
import { leastLoaded } from "./least_loaded.ts";
import { DELAY } from "./overhead.ts";
import type { Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

/** `sed` of kernel 6.1. */
export const sed: Scheduler = {
  ...STATELESS,
  name: "sed",
  pick: (_question, list) => leastLoaded(list, DELAY),
};
