/**
 * The part that schedulers without a memory share.
 *
 * @module
 */
import type { Scheduler } from "./scheduler.ts";

/** No cells, and nothing to do when the list changes. */
export const STATELESS: Omit<Scheduler, "name" | "pick"> = {
  cellCount: 0,
  start() {},
  added() {},
  removing() {},
  removed() {},
  edited() {},
};
