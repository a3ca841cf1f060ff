/**
 * What keeps a destination from getting a new connection.
 *
 * @module
 */
import type { DestinationList } from "./scheduler.ts";

/** Neither quiesced (weight 0) nor overloaded. */
export function isEligible(list: DestinationList, destination: number): boolean {
  return list.weight(destination) > 0 && !list.overloaded(destination);
}
