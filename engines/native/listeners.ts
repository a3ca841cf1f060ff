/**
 * Listening sockets of the native engine, opened by the main thread and accepted from by all workers.
 *
 * @module
 */
import { SystemError } from "../../errors.ts";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { TcpOptions } from "../../net/tcp_options.ts";
import { ERRNO, errnoName } from "../../sys/errno.ts";
import { LEVEL, TCP_OPTION } from "../../sys/socket_numbers.ts";
import type { Sockets } from "../../sys/sockets.ts";
import type { Binding, NotInForce } from "../engine.ts";
import { assertListenAllowed, bindError } from "../portable/bind_error.ts";
import { applyOptions, listenerOptions } from "./socket_options.ts";

const ANY_IPV4 = IpAddress.ipv4(0);
/** No IPv6 in the kernel, or switched off. */
const WITHOUT_IPV6 = new Set<number>([ERRNO.EAFNOSUPPORT, ERRNO.EADDRNOTAVAIL]);

/** An open listener. */
export interface Listening {
  /** One for each worker, or one for all. */
  readonly descriptors: readonly number[];
  readonly bound: Endpoint;
  /** Options that the kernel refused. */
  readonly refused: readonly NotInForce[];
}

/**
 * Listens where the binding says. `[::]` falls back to `0.0.0.0` on a host without IPv6.
 *
 * @throws {SystemError} see `bindError`
 */
export function listenTcp(sockets: Sockets, binding: Binding, backlog: number): Listening {
  const { tcp = {} } = binding.options;
  return listenWith(binding, (at) => listenAt(sockets, at, backlog, tcp));
}

/** Opens by `open` where the binding says, with the same fall-back and the same errors. @throws {SystemError} see `bindError` */
export function listenWith(binding: Binding, open: (at: Endpoint) => Listening): Listening {
  const { address, port } = binding.listen;
  assertListenAllowed(binding);
  try {
    return open(binding.listen);
  } catch (error) {
    const canFallBack = address.family === 6 && address.isUnspecified && WITHOUT_IPV6.has(errnoOf(error));
    if (!canFallBack) throw coded(binding, error);
  }
  try {
    return open({ address: ANY_IPV4, port });
  } catch (error) {
    throw coded(binding, error);
  }
}

function listenAt(sockets: Sockets, at: Endpoint, backlog: number, tcp: TcpOptions): Listening {
  // Accepted sockets inherit it, which saves a system call for each.
  const options = [[LEVEL.tcp, TCP_OPTION.noDelay, 1]] as const;
  const refused: NotInForce[] = [];
  const prepare = (listener: number) =>
    void refused.push(...applyOptions(sockets, listener, listenerOptions(tcp)));
  const descriptor = sockets.listen(at, { backlog, options, prepare });
  const bound = { address: at.address, port: sockets.localEndpoint(descriptor).port };
  return { descriptors: [descriptor], bound, refused };
}

function errnoOf(error: unknown): number {
  return error instanceof SystemError ? Number(error.fields.errno) : 0;
}

function coded(binding: Binding, error: unknown): unknown {
  const errno = errnoOf(error);
  return errno === 0 ? error : bindError(binding, Object.assign(new Error(), { code: errnoName(errno) }));
}
