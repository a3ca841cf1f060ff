/**
 * A service's socket options as the kernel takes them. What the listener has, every socket accepted from it inherits, which
 * saves system calls for each connection; a socket to a real server gets its own.
 *
 * @module
 */
import type { TcpOptions } from "../../net/tcp_options.ts";
import { ERRNO, errnoName } from "../../sys/errno.ts";
import { LEVEL, SOCKET_OPTION, TCP_OPTION } from "../../sys/socket_numbers.ts";
import type { Sockets } from "../../sys/sockets.ts";
import type { NotInForce } from "../engine.ts";

/** One number for one option. */
export interface SocketOption {
  /** As the configuration writes it. */
  readonly setting: string;
  readonly level: number;
  readonly option: number;
  readonly value: number;
}

const FAST_OPEN_SWITCH = "net.ipv4.tcp_fastopen";
/** TFO_SERVER_ENABLE of the kernel's net/tcp.h. */
const FAST_OPEN_SERVER = 2;

/**
 * What both sockets of a connection get.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const [timeout] = connectionOptions({ userTimeoutMs: 30_000 });
 * assert.deepEqual([timeout?.setting, timeout?.value], ["tcp.userTimeout", 30_000]);
 * ```
 */
export function connectionOptions(tcp: TcpOptions): SocketOption[] {
  const { userTimeoutMs, keepAlive, busyPollMicroseconds } = tcp;
  const options: SocketOption[] = [];
  if (userTimeoutMs !== undefined) options.push(ofTcp("userTimeout", "userTimeout", userTimeoutMs));
  if (keepAlive !== undefined) {
    const { idleMs, intervalMs, count } = keepAlive;
    options.push(
      ofTcp("keepAlive", "keepIdle", idleMs / 1_000),
      ofTcp("keepAlive", "keepInterval", intervalMs / 1_000),
      ofTcp("keepAlive", "keepCount", count),
      ofSocket("keepAlive", "keepAlive", 1),
    );
  }
  if (busyPollMicroseconds !== undefined) {
    options.push(ofSocket("busyPoll", "busyPoll", busyPollMicroseconds));
  }
  return options;
}

/** What a listener gets; `before`: what it had and is not asked for any more is switched off. */
export function listenerOptions(tcp: TcpOptions, before: TcpOptions = {}): SocketOption[] {
  const { deferAcceptMs, fastOpenClients, userTimeoutMs, keepAlive, busyPollMicroseconds } = before;
  const off: TcpOptions = {
    ...(userTimeoutMs === undefined ? {} : { userTimeoutMs: 0 }),
    ...(deferAcceptMs === undefined ? {} : { deferAcceptMs: 0 }),
    ...(fastOpenClients === undefined ? {} : { fastOpenClients: 0 }),
    ...(busyPollMicroseconds === undefined ? {} : { busyPollMicroseconds: 0 }),
  };
  const wanted = { ...off, ...tcp };
  const options = connectionOptions(wanted);
  if (keepAlive !== undefined && tcp.keepAlive === undefined) {
    options.push(ofSocket("keepAlive", "keepAlive", 0));
  }
  if (wanted.deferAcceptMs !== undefined) {
    options.push(ofTcp("deferAccept", "deferAccept", wanted.deferAcceptMs / 1_000));
  }
  if (wanted.fastOpenClients !== undefined) {
    options.push(ofTcp("fastOpen", "fastOpen", wanted.fastOpenClients));
  }
  return options;
}

/** Sets them, and says which the kernel refuses. */
export function applyOptions(
  sockets: Sockets,
  descriptor: number,
  options: readonly SocketOption[],
): NotInForce[] {
  return options.flatMap(({ setting, level, option, value }) => {
    const result = sockets.setOption(descriptor, level, option, value);
    if (result >= 0) return [];
    const reason = result === -ERRNO.EPERM
      ? "the kernel permits it with CAP_NET_ADMIN only"
      : `the kernel answers ${errnoName(-result)} to ${value}`;
    return [{ setting, reason }];
  });
}

/**
 * What a switch of the host takes away.
 *
 * @param readSwitch text of a switch by its name; undefined when it cannot be read
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(switchedOff({ fastOpenClients: 64 }, () => "3"), []);
 * assert.equal(switchedOff({ fastOpenClients: 64 }, () => "1")[0]?.setting, "tcp.fastOpen");
 * ```
 */
export function switchedOff(
  tcp: TcpOptions,
  readSwitch: (name: string) => string | undefined,
): NotInForce[] {
  if (tcp.fastOpenClients === undefined) return [];
  const bits = Number(readSwitch(FAST_OPEN_SWITCH));
  if (Number.isNaN(bits) || (bits & FAST_OPEN_SERVER) !== 0) return [];
  const reason = `${FAST_OPEN_SWITCH} is ${bits}, so no listener of this host takes bytes with a SYN; ` +
    `sysctl -w ${FAST_OPEN_SWITCH}=${bits | FAST_OPEN_SERVER}`;
  return [{ setting: "tcp.fastOpen", reason }];
}

function ofTcp(key: string, option: keyof typeof TCP_OPTION, value: number): SocketOption {
  return { setting: `tcp.${key}`, level: LEVEL.tcp, option: TCP_OPTION[option], value };
}

function ofSocket(key: string, option: keyof typeof SOCKET_OPTION, value: number): SocketOption {
  return { setting: `tcp.${key}`, level: LEVEL.socket, option: SOCKET_OPTION[option], value };
}
