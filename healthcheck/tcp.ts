/**
 * The check that a TCP connection can be opened: it proves a listening socket, not a working service.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";
import type { Check, CheckResult, Dialer } from "./check.ts";

/** Nothing to choose. */
export interface TcpCheckOptions {
  readonly type: "tcp";
}

/** Up when the connection is established; it is closed at once, without a byte. */
export class TcpCheck implements Check {
  readonly type = "tcp";

  async run(target: Endpoint, dialer: Dialer, signal: AbortSignal): Promise<CheckResult> {
    using _stream = await dialer.connectTcp(target, signal);
    return { up: true, detail: "connected" };
  }
}
