/**
 * Weighted least connection: the smallest overhead for its weight, the first in list order of equals.
 *
 * Cells: none.
 *
 * @module
 */
import { leastLoaded } from "./least_loaded.ts";
import { OVERHEAD } from "./overhead.ts";
import type { Scheduler } from "./scheduler.ts";
import { STATELESS } from "./stateless.ts";

/** `wlc` of kernel 6.1, the default of ipvsadm. */
export const wlc: Scheduler = {
  ...STATELESS,
  name: "wlc",
  pick: (_question, list) => leastLoaded(list, OVERHEAD),
};
