/**
 * Failed sends in the words of the closed list of reasons.
 *
 * @module
 */
import type { EndReason } from "../engine.ts";
import { connectFailure } from "./tcp_failures.ts";

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
