/**
 * The dialer that uses the computer's own sockets and processes.
 *
 * @module
 */
import net from "node:net";
import tls from "node:tls";
import type { Clock } from "../clock.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { CheckDatagrams, CheckStream, CommandOutcome, Dialer } from "./check.ts";
import { runCommand } from "./command.ts";
import { openDatagrams } from "./datagrams.ts";
import { openedStream } from "./socket_stream.ts";

/** Reaches servers directly. Whatever it opened is closed when the signal aborts. */
export class SystemDialer implements Dialer {
  readonly #clock: Clock;

  /** @param clock times the pause between SIGTERM and SIGKILL */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connectTcp({ address, port }: Endpoint, signal: AbortSignal): Promise<CheckStream> {
    const socket = net.connect({ host: `${address}`, port, family: address.family });
    return openedStream(socket, "connect", "unreachable", signal);
  }

  connectTls(
    { address, port }: Endpoint,
    { serverName, verify, alpn }: {
      readonly serverName?: string;
      readonly verify: boolean;
      readonly alpn?: readonly string[];
    },
    signal: AbortSignal,
  ): Promise<CheckStream> {
    const socket = tls.connect({
      host: `${address}`,
      port,
      rejectUnauthorized: verify,
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    });
    return openedStream(socket, "secureConnect", "tls", signal);
  }

  connectUdp(target: Endpoint, signal: AbortSignal): Promise<CheckDatagrams> {
    return openDatagrams(target, signal);
  }

  run(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<CommandOutcome> {
    return runCommand(command, env, this.#clock, signal);
  }
}
