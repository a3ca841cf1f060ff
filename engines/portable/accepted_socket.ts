/**
 * Client sockets that are read into memory used again, like server sockets.
 *
 * node:net offers `onread` for sockets that connect and not for those that are accepted. Without it each read of an
 * upload is a new 64 KiB for the garbage collector: 38 MiB of growth for one slow reader in place of 2, and 0.7x
 * the throughput (Deno 2.9.6). So the method that makes a server's sockets is replaced. It is not documented; a
 * runtime that does not call it hands out plain sockets, which work too, at that price.
 *
 * @module
 */
import { type Server, Socket, type SocketConstructorOpts } from "node:net";
import type { BufferPool } from "./read_buffers.ts";
import { SocketReader } from "./socket_reader.ts";

/** An accepted socket with its reader. */
export class AcceptedSocket extends Socket {
  readonly reader: SocketReader;

  constructor(handle: unknown, reader: SocketReader) {
    const options = { handle, allowHalfOpen: true, onread: reader.onread };
    super(options as SocketConstructorOpts);
    this.reader = reader;
    this.setNoDelay(true);
  }
}

/** Makes the server hand out {@linkcode AcceptedSocket}s. */
export function acceptIntoPool(server: Server, pool: BufferPool): void {
  Object.assign(server, {
    _createSocket: (handle: unknown) => new AcceptedSocket(handle, new SocketReader(pool)),
  });
}
