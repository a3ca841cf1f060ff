/**
 * From socket options as they stand in the file to those that the engines take.
 *
 * @module
 */
import type { TcpOptions } from "../net/tcp_options.ts";
import { defined } from "./defined.ts";
import type { WrittenTcpOptions } from "./tcp_schema.ts";

/** As the engines have it. */
export function buildTcpOptions(written: WrittenTcpOptions): TcpOptions {
  const { userTimeout, deferAccept, fastOpen, busyPoll } = written;
  return defined({
    userTimeoutMs: userTimeout,
    keepAlive: written.keepAlive === undefined ? undefined : {
      idleMs: written.keepAlive.idle,
      intervalMs: written.keepAlive.interval,
      count: written.keepAlive.count,
    },
    deferAcceptMs: deferAccept,
    fastOpenClients: fastOpen,
    busyPollMicroseconds: busyPoll,
  });
}
