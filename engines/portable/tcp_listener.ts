/**
 * A listening TCP socket.
 *
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Binding } from "../engine.ts";
import { bindError, errorCode } from "./bind_error.ts";

const ANY_IPV4 = IpAddress.ipv4(0);
/** No IPv6 in the kernel; IPv6 switched off on every interface. */
const WITHOUT_IPV6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL"]);

/** An open listener; connections arrive as soon as it exists. */
export class TcpListener {
  /** Where it listens really. */
  readonly bound: Endpoint;
  #server: Server;
  readonly #backlog: number;
  readonly #onConnection: (client: Socket) => void;
  #isOpen = true;

  /**
   * Listens where the binding says. `[::]` falls back to `0.0.0.0` on a host without IPv6.
   *
   * @throws {SystemError} see `bindError`
   */
  static async open(
    binding: Binding,
    backlog: number,
    onConnection: (client: Socket) => void,
  ): Promise<TcpListener> {
    const { address, port } = binding.listen;
    try {
      return new TcpListener(
        await listen(address, port, backlog, onConnection),
        address,
        backlog,
        onConnection,
      );
    } catch (error) {
      const canFallBack = address.family === 6 && address.isUnspecified && WITHOUT_IPV6.has(errorCode(error));
      if (!canFallBack) throw bindError(binding, error);
    }
    try {
      const server = await listen(ANY_IPV4, port, backlog, onConnection);
      return new TcpListener(server, ANY_IPV4, backlog, onConnection);
    } catch (error) {
      throw bindError(binding, error);
    }
  }

  private constructor(
    server: Server,
    address: IpAddress,
    backlog: number,
    onConnection: (client: Socket) => void,
  ) {
    const real = server.address();
    this.bound = { address, port: real !== null && typeof real === "object" ? real.port : 0 };
    this.#server = server;
    this.#backlog = backlog;
    this.#onConnection = onConnection;
  }

  /** Closes and listens anew at the same place; rejects with what the runtime throws. */
  async reopen(): Promise<void> {
    if (!this.#isOpen) return;
    this.#server.close();
    const { address, port } = this.bound;
    const server = await listen(address, port, this.#backlog, this.#onConnection);
    this.#server = server;
    if (!this.#isOpen) server.close();
  }

  /** Stops listening: what waits in the kernel's backlog is reset, accepted connections go on. */
  close(): void {
    this.#isOpen = false;
    this.#server.close();
  }
}

function listen(
  address: IpAddress,
  port: number,
  backlog: number,
  onConnection: (client: Socket) => void,
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
  return new Promise((resolve, reject) => {
    // Stays for the server's life: an error that nobody hears would end the process.
    server.on("error", reject);
    server.listen({ host: `${address}`, port, backlog }, () => resolve(server));
  });
}
