/**
 * Options of the sockets of a TCP service, by the kernel's words (tcp(7), socket(7)).
 *
 * @module
 */

/** An absent one keeps the kernel's default. */
export interface TcpOptions {
  /** TCP_USER_TIMEOUT: how long sent bytes may go unacknowledged before the connection breaks. */
  readonly userTimeoutMs?: number;
  /** SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT. */
  readonly keepAlive?: KeepAlive;
  /** TCP_DEFER_ACCEPT: a client is accepted once it has sent something, or after this time. */
  readonly deferAcceptMs?: number;
  /** TCP_FASTOPEN: clients that may wait with bytes in their SYN. */
  readonly fastOpenClients?: number;
  /** SO_BUSY_POLL: how long a read looks at the network card itself before it waits. */
  readonly busyPollMicroseconds?: number;
}

/** Probes of a quiet connection. */
export interface KeepAlive {
  /** Quiet time before the first one. */
  readonly idleMs: number;
  /** Between two of them. */
  readonly intervalMs: number;
  /** Unanswered ones that break the connection. */
  readonly count: number;
}
