/**
 * Sockets of node:net, for runtimes that do not show what is under it.
 *
 * @module
 */
import {
  connect,
  createServer,
  type OnReadOpts,
  type Server,
  Socket,
  type SocketConstructorOpts,
} from "node:net";
import type { Family } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { NodeSocket } from "./node_socket.ts";
import type { BufferPool } from "./read_buffers.ts";
import type { Dialer, ListeningSocket, TcpSocket, TcpSockets } from "./tcp_socket.ts";

/** Not `Deno.listen`, which cannot send a reset. */
export class NodeSockets implements TcpSockets {
  readonly name = "node:net";
  readonly #pool: BufferPool;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  connect(host: string, port: number, family: Family, dialer: Dialer): TcpSocket {
    const options = { host, port, family, allowHalfOpen: true, noDelay: true };
    const socket = new NodeSocket(this.#pool, dialer, (onread) => connect({ ...options, onread }));
    socket.dial(dialer);
    return socket;
  }

  listen(at: Endpoint, backlog: number, accept: (client: TcpSocket) => void): Promise<ListeningSocket> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      accept(client instanceof AcceptedSocket ? client.wrapper : NodeSocket.plain(this.#pool, client));
    });
    acceptIntoPool(server, this.#pool);
    return new Promise((resolve, reject) => {
      // Stays for the server's life: an error that nobody hears would end the process.
      server.on("error", reject);
      server.listen({ host: `${at.address}`, port: at.port, backlog }, () => {
        const real = server.address();
        const port = real !== null && typeof real === "object" ? real.port : 0;
        resolve({ port, close: () => server.close() });
      });
    });
  }
}

/** An accepted socket that is read into memory used again. */
class AcceptedSocket extends Socket {
  readonly wrapper: NodeSocket;

  constructor(handle: unknown, onread: OnReadOpts, wrapper: NodeSocket) {
    super({ handle, allowHalfOpen: true, onread } as SocketConstructorOpts);
    this.wrapper = wrapper;
    this.setNoDelay(true);
  }
}

/**
 * Makes the server hand out {@linkcode AcceptedSocket}s.
 *
 * node:net offers `onread` for sockets that connect and not for those that are accepted. Without it each read of an
 * upload is a new 64 KiB for the garbage collector: 38 MiB of growth for one slow reader in place of 2, and 0.7x
 * the throughput (Deno 2.9.6). So the method that makes a server's sockets is replaced. It is not documented; a
 * runtime that does not call it hands out plain sockets, which work too, at that price.
 */
function acceptIntoPool(server: Server, pool: BufferPool): void {
  Object.assign(server, {
    _createSocket: (handle: unknown) =>
      NodeSocket.accepted(pool, (onread, wrapper) => new AcceptedSocket(handle, onread, wrapper)),
  });
}
