/**
 * Refused datagrams and failed sends in the words of the closed list of reasons.
 *
 * @module
 */
import { DROP_REASON, type DropReason } from "../../director/verdict.ts";
import type { EndReason } from "../engine.ts";
import { connectFailure } from "./tcp_failures.ts";

const REASON_OF_DROP: Readonly<Partial<Record<DropReason, EndReason>>> = {
  [DROP_REASON.noService]: "service-removed",
  [DROP_REASON.noDestination]: "no-destination",
  [DROP_REASON.destinationDeleted]: "destination-removed",
  [DROP_REASON.tableFull]: "table-full",
};

/** Why the director did not forward a datagram. */
export function refusalReason(reason: DropReason): EndReason {
  return REASON_OF_DROP[reason] ?? "error";
}

/** Says something about the destination: the rest (`EMSGSIZE`, `ENOBUFS`) is about the datagram or this host. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  // Windows reports a closed port this way, on the socket that sent.
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "EACCES",
  "EPERM",
]);

/** What a failed send says about its destination; undefined when it says nothing. */
export function destinationFailure(code: string): EndReason | undefined {
  if (code === "ECONNRESET") return "connect-refused";
  return UNREACHABLE.has(code) ? connectFailure(code) : undefined;
}
