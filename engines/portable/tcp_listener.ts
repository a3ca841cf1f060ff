/**
 * A listening TCP socket.
 *
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Binding } from "../engine.ts";
import { acceptIntoPool } from "./accepted_socket.ts";
import { bindError, errorCode } from "./bind_error.ts";
import type { BufferPool } from "./read_buffers.ts";

const ANY_IPV4 = IpAddress.ipv4(0);
/** No IPv6 in the kernel, or switched off; node:net of Deno 2.9 reports codes that it does not know as EINVAL. */
const WITHOUT_IPV6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]);

/** How a listener accepts. */
export interface ListenSettings {
  /** Connections that may wait in the kernel. */
  readonly backlog: number;
  /** What accepted sockets are read into. */
  readonly pool: BufferPool;
  readonly onConnection: (client: Socket) => void;
}

/** An open listener; connections arrive as soon as it exists. */
export class TcpListener {
  /** Where it listens really. */
  readonly bound: Endpoint;
  #server: Server;
  readonly #settings: ListenSettings;
  #isOpen = true;

  /**
   * Listens where the binding says. `[::]` falls back to `0.0.0.0` on a host without IPv6.
   *
   * @throws {SystemError} see `bindError`
   */
  static async open(binding: Binding, settings: ListenSettings): Promise<TcpListener> {
    const { address, port } = binding.listen;
    try {
      return new TcpListener(await listen(address, port, settings), address, settings);
    } catch (error) {
      const canFallBack = address.family === 6 && address.isUnspecified && WITHOUT_IPV6.has(errorCode(error));
      if (!canFallBack) throw bindError(binding, error);
    }
    try {
      return new TcpListener(await listen(ANY_IPV4, port, settings), ANY_IPV4, settings);
    } catch (error) {
      throw bindError(binding, error);
    }
  }

  private constructor(server: Server, address: IpAddress, settings: ListenSettings) {
    const real = server.address();
    this.bound = { address, port: real !== null && typeof real === "object" ? real.port : 0 };
    this.#server = server;
    this.#settings = settings;
  }

  /** Closes and listens anew at the same place; rejects with what the runtime throws. */
  async reopen(): Promise<void> {
    if (!this.#isOpen) return;
    this.#server.close();
    const server = await listen(this.bound.address, this.bound.port, this.#settings);
    this.#server = server;
    if (!this.#isOpen) server.close();
  }

  /** Stops listening: what waits in the kernel's backlog is reset, accepted connections go on. */
  close(): void {
    this.#isOpen = false;
    this.#server.close();
  }
}

function listen(address: IpAddress, port: number, settings: ListenSettings): Promise<Server> {
  const { backlog, pool, onConnection } = settings;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
  acceptIntoPool(server, pool);
  return new Promise((resolve, reject) => {
    // Stays for the server's life: an error that nobody hears would end the process.
    server.on("error", reject);
    server.listen({ host: `${address}`, port, backlog }, () => resolve(server));
  });
}
