/**
 * A check whose packets go the way of clients' packets (DR, TUN), so that a dead path and a dead service are told apart.
 *
 * @module
 */
import type { Clock, Timer } from "../clock.ts";
import { SystemError } from "../errors.ts";
import type { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { Random } from "../net/random.ts";
import {
  type Check,
  type CheckDatagrams,
  CheckError,
  type CheckResult,
  type CheckStream,
  type Dialer,
} from "./check.ts";
import { PathDatagrams } from "./path_datagrams.ts";
import { PathStream } from "./path_stream.ts";
import type { ServerPath } from "./server_path.ts";

/** What a check by the path works with. */
export interface PacketPathParts {
  readonly check: Check;
  /** The way to the server with this address. */
  readonly pathTo: (server: IpAddress) => ServerPath;
  /** Of the check. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Runs another check with packets for the virtual address. While the path is silent, the server is asked at its own address
 * from the middle of the time-out on: one that is alive there behind a silent path fails with `path`.
 */
export class PacketPathCheck implements Check {
  readonly type: string;
  readonly #parts: PacketPathParts;

  constructor(parts: PacketPathParts) {
    this.type = parts.check.type;
    this.#parts = parts;
  }

  run(target: Endpoint, dialer: Dialer, signal: AbortSignal): Promise<CheckResult> {
    return this.#parts.check.run(target, {
      connectTcp: (at, abort) => this.#openStream(at, dialer, abort),
      connectUdp: (at, abort) => Promise.resolve(this.#openDatagrams(at, dialer, abort)),
      connectTls: (at, options, abort) => dialer.connectTls(at, options, abort),
      run: (command, env, abort) => dialer.run(command, env, abort),
    }, signal);
  }

  /** @throws {CheckError} `resources` */
  #pathTo(server: IpAddress): ServerPath {
    const path = this.#parts.pathTo(server);
    return {
      open: (protocol, heard) => {
        try {
          return path.open(protocol, heard);
        } catch (error) {
          throw error instanceof SystemError ? new CheckError("resources", error.message, error) : error;
        }
      },
    };
  }

  async #openStream(at: Endpoint, dialer: Dialer, signal: AbortSignal): Promise<CheckStream> {
    const { clock, random } = this.#parts;
    const sequence = random.below(2 ** 32);
    const path = this.#pathTo(at.address);
    const { stream, opened } = PathStream.open({ path, virtualPort: at.port, clock, sequence });
    const doubt = new Doubt(this.#parts, async (abort) => {
      using _other = await dialer.connectTcp(at, abort);
    });
    const onAbort = () =>
      stream.failWith(
        stream.isOpening ? doubt.verdict(stream.progress) : new CheckError("timeout", stream.progress),
      );
    const end = () => {
      doubt[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
      stream[Symbol.dispose]();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await opened;
    } catch (error) {
      end();
      throw error;
    }
    doubt[Symbol.dispose]();
    return {
      read: (into) => stream.read(into),
      write: (bytes) => stream.write(bytes),
      [Symbol.dispose]: end,
    };
  }

  #openDatagrams(at: Endpoint, dialer: Dialer, signal: AbortSignal): CheckDatagrams {
    const datagrams = new PathDatagrams(this.#pathTo(at.address), at.port);
    let sent = new Uint8Array(0);
    const doubt = new Doubt(this.#parts, async (abort) => {
      using other = await dialer.connectUdp(at, abort);
      await other.send(sent);
      await other.receive();
    });
    const onAbort = () => datagrams.failWith(doubt.verdict("no answer in time"));
    signal.addEventListener("abort", onAbort, { once: true });
    return {
      reportsClosedPorts: datagrams.reportsClosedPorts,
      send: (bytes) => {
        sent = bytes.slice();
        return datagrams.send(bytes);
      },
      receive: () => datagrams.receive(),
      [Symbol.dispose]: () => {
        doubt[Symbol.dispose]();
        signal.removeEventListener("abort", onAbort);
        datagrams[Symbol.dispose]();
      },
    };
  }
}

/** Asks at the server's own address while the path is silent. */
class Doubt implements Disposable {
  readonly #abort = new AbortController();
  readonly #timer: Timer;
  #alive = "";

  /** @param ask resolves when the server answers at its own address; `refused` tells that its host is alive */
  constructor({ clock, timeoutMs }: PacketPathParts, ask: (abort: AbortSignal) => Promise<void>) {
    this.#timer = clock.after(timeoutMs / 2, () => {
      ask(this.#abort.signal).then(() => this.#alive = "answers", (error) => {
        if (error instanceof CheckError && error.reason === "refused") this.#alive = "refuses";
      });
    });
  }

  /** What silence means by now. */
  verdict(otherwise: string): CheckError {
    this[Symbol.dispose]();
    if (this.#alive === "") {
      return new CheckError("timeout", `${otherwise}, neither by the path nor at its own address`);
    }
    return new CheckError(
      "path",
      `nothing comes back by the path, and the server ${this.#alive} at its own address`,
    );
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#abort.abort();
  }
}
