/**
 * A listening TCP socket.
 *
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import { LIMITS } from "../../limits.ts";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Binding } from "../engine.ts";
import { bindError, errorCode } from "./bind_error.ts";

/** What any address is called where there is no IPv6. */
const ANY_IPV4 = IpAddress.ipv4(0);
/** No IPv6 in the kernel; IPv6 switched off on every interface. */
const WITHOUT_IPV6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL"]);

/** An open listener; connections arrive as soon as it exists. */
export class TcpListener {
  readonly bound: Endpoint;
  readonly #server: Server;

  /**
   * Listens where the binding says. `[::]` falls back to `0.0.0.0` on a host without IPv6.
   *
   * @throws {SystemError} see `bindError`
   */
  static async open(
    binding: Binding,
    listen: Endpoint,
    onConnection: (client: Socket) => void,
  ): Promise<TcpListener> {
    const { address, port } = listen;
    try {
      return await TcpListener.#openAt(address, port, onConnection);
    } catch (error) {
      const canFallBack = address.family === 6 && address.isUnspecified && WITHOUT_IPV6.has(errorCode(error));
      if (!canFallBack) throw bindError(binding, error);
    }
    try {
      return await TcpListener.#openAt(ANY_IPV4, port, onConnection);
    } catch (error) {
      throw bindError(binding, error);
    }
  }

  static #openAt(
    address: IpAddress,
    port: number,
    onConnection: (client: Socket) => void,
  ): Promise<TcpListener> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: `${address}`, port, backlog: LIMITS.tcpBacklogConnections }, () => {
        server.off("error", reject);
        resolve(new TcpListener(server, address, port));
      });
    });
  }

  private constructor(server: Server, address: IpAddress, port: number) {
    const real = server.address();
    this.bound = { address, port: real !== null && typeof real === "object" ? real.port : port };
    this.#server = server;
    // Deno 2.9 reports no failed accept here; should a later one do so, it must not end the process.
    server.on("error", () => {});
  }

  /** Stops listening: what waits in the kernel's queue is reset, accepted connections go on. */
  close(): void {
    this.#server.close();
  }
}
