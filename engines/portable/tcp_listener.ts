/**
 * A listening TCP socket.
 *
 * @module
 */
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Binding } from "../engine.ts";
import { bindError, errorCode } from "./bind_error.ts";
import type { ListeningSocket, TcpSocket, TcpSockets } from "./tcp_socket.ts";

const ANY_IPV4 = IpAddress.ipv4(0);
/** No IPv6 in the kernel, or switched off; Deno 2.9 reports codes that it does not know as EINVAL. */
const WITHOUT_IPV6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]);

/** How a listener accepts. */
export interface ListenSettings {
  /** Connections that may wait in the kernel. */
  readonly backlog: number;
  readonly sockets: TcpSockets;
  /** Gives the client an owner at once. */
  readonly accept: (client: TcpSocket) => void;
}

/** An open listener; connections arrive as soon as it exists. */
export class TcpListener {
  /** Where it listens really. */
  readonly bound: Endpoint;
  #socket: ListeningSocket;
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

  private constructor(socket: ListeningSocket, address: IpAddress, settings: ListenSettings) {
    this.bound = { address, port: socket.port };
    this.#socket = socket;
    this.#settings = settings;
  }

  /** Closes and listens anew at the same place; rejects with what the runtime throws. */
  async reopen(): Promise<void> {
    if (!this.#isOpen) return;
    this.#socket.close();
    const socket = await listen(this.bound.address, this.bound.port, this.#settings);
    this.#socket = socket;
    if (!this.#isOpen) socket.close();
  }

  /** Stops listening: what waits in the kernel's backlog is reset, accepted connections go on. */
  close(): void {
    this.#isOpen = false;
    this.#socket.close();
  }
}

function listen(address: IpAddress, port: number, settings: ListenSettings): Promise<ListeningSocket> {
  const { sockets, backlog, accept } = settings;
  return sockets.listen({ address, port }, backlog, accept);
}
