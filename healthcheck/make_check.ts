/**
 * From the words of a configuration to a check.
 *
 * @module
 */
import type { Check } from "./check.ts";
import { ExecCheck, type ExecCheckOptions } from "./exec.ts";
import { HttpCheck, type HttpCheckOptions } from "./http.ts";
import { TcpCheck, type TcpCheckOptions } from "./tcp.ts";
import { UdpCheck, type UdpCheckOptions } from "./udp.ts";

/** All check types by their `type`. A validated `healthCheck` of the configuration fits as it is. */
export type CheckOptions = TcpCheckOptions | HttpCheckOptions | UdpCheckOptions | ExecCheckOptions;

/**
 * Makes a check.
 *
 * @throws {ValueError} `HEALTH_CHECK_INVALID` when an HTTP request cannot be written from the options
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(makeCheck({ type: "tcp" }).type, "tcp");
 * ```
 */
export function makeCheck(options: CheckOptions): Check {
  switch (options.type) {
    case "tcp":
      return new TcpCheck();
    case "http":
    case "https":
      return new HttpCheck(options);
    case "udp":
      return new UdpCheck(options);
    case "exec":
      return new ExecCheck(options);
  }
}
