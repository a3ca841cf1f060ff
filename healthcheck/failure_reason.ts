/**
 * What an error of the operating system means for a check.
 *
 * @module
 */
import { CheckError, type CheckFailure } from "./check.ts";

const REASON_OF_CODE: Readonly<Record<string, CheckFailure>> = {
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETDOWN: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  ETIMEDOUT: "timeout",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  EACCES: "permission",
  EPERM: "permission",
  EMFILE: "resources",
  ENFILE: "resources",
  ENOMEM: "resources",
  ENOBUFS: "resources",
  EAGAIN: "resources",
};

/**
 * The `CheckError` for anything that a socket or a process threw; one that is a `CheckError` already stays itself.
 *
 * @param otherwise reason of an error that the operating system did not number
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const error = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
 * assert.equal(checkErrorOf(error, "unreachable").reason, "refused");
 * ```
 */
export function checkErrorOf(error: unknown, otherwise: CheckFailure): CheckError {
  if (error instanceof CheckError) return error;
  if (error instanceof Deno.errors.NotCapable) return new CheckError("permission", error.message, error);
  const text = error instanceof Error ? error.message : String(error);
  return checkErrorOfCode(codeOf(error), text, otherwise, error);
}

/** The same for an error that is known by its name alone, such as `ECONNREFUSED`. */
export function checkErrorOfCode(
  code: string,
  text: string,
  otherwise: CheckFailure,
  cause?: unknown,
): CheckError {
  return new CheckError(REASON_OF_CODE[code] ?? otherwise, text, cause);
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
