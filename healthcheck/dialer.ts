/**
 * The dialer that uses the computer's own sockets and processes.
 *
 * @module
 */
import net from "node:net";
import tls from "node:tls";
import type { Clock } from "../clock.ts";
import { SystemError } from "../errors.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { Libc } from "../sys/libc.ts";
import type { CheckDatagrams, CheckStream, CommandOutcome, Dialer } from "./check.ts";
import { runCommand } from "./command.ts";
import { ConnectedDatagrams } from "./connected_datagrams.ts";
import { openDatagrams } from "./datagrams.ts";
import { checkErrorOf } from "./failure_reason.ts";
import { openedStream } from "./socket_stream.ts";

/**
 * Reaches servers directly. Whatever it opened is closed when the signal aborts; the C library, which the first UDP check on Linux
 * opens for all that follow, when the dialer is disposed of.
 */
export class SystemDialer implements Dialer, Disposable {
  readonly #clock: Clock;
  #systemAuthorities: string[] | undefined;
  #libc: Libc | "untried" | "unavailable" = "untried";

  /** @param clock times the pause between SIGTERM and SIGKILL, and the looks for a datagram */
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
      ...(verify ? this.#authorities() : {}),
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    });
    return openedStream(socket, "secureConnect", "tls", signal);
  }

  /** Without FFI, or on another system than Linux, a closed port is not reported. */
  async connectUdp(target: Endpoint, signal: AbortSignal): Promise<CheckDatagrams> {
    const libc = this.#openLibc();
    if (libc === undefined) return await openDatagrams(target, signal);
    return new ConnectedDatagrams(libc, target, this.#clock, signal);
  }

  run(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<CommandOutcome> {
    return runCommand(command, env, this.#clock, signal);
  }

  [Symbol.dispose](): void {
    if (typeof this.#libc === "object") this.#libc[Symbol.dispose]();
    this.#libc = "untried";
  }

  // Without `ca` Deno asks Mozilla's list, which does not know a house's own authority. SSL_CERT_FILE is heeded.
  #authorities(): { ca?: string[] } {
    try {
      this.#systemAuthorities ??= tls.getCACertificates("system");
    } catch (error) {
      // Deno lets nobody read them without the whole of --allow-sys.
      throw checkErrorOf(error, "defect");
    }
    return this.#systemAuthorities.length === 0 ? {} : { ca: this.#systemAuthorities };
  }

  #openLibc(): Libc | undefined {
    if (this.#libc === "untried") this.#libc = tryOpenLibc() ?? "unavailable";
    return this.#libc === "unavailable" ? undefined : this.#libc;
  }
}

function tryOpenLibc(): Libc | undefined {
  try {
    return Libc.open();
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
