/**
 * Refused connections and datagrams in the words of the closed list of reasons.
 *
 * @module
 */
import { DROP_REASON, type DropReason } from "../director/verdict.ts";
import type { EndReason } from "./engine.ts";

const REASON_OF_DROP: Readonly<Record<DropReason, EndReason>> = {
  [DROP_REASON.none]: "error",
  [DROP_REASON.noService]: "service-removed",
  [DROP_REASON.noDestination]: "no-destination",
  [DROP_REASON.destinationRemoved]: "destination-removed",
  [DROP_REASON.notNew]: "not-new",
  [DROP_REASON.tableFull]: "table-full",
  [DROP_REASON.memoryPressure]: "memory-pressure",
  [DROP_REASON.persistenceEngine]: "persistence-engine",
  [DROP_REASON.ruleDrop]: "rule-drop",
  [DROP_REASON.ruleReject]: "rule-reject",
};

/** Why a connection or datagram was not forwarded. */
export function refusalReason(reason: DropReason): EndReason {
  return REASON_OF_DROP[reason];
}
