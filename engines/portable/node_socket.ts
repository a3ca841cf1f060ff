/**
 * One socket of node:net.
 *
 * @module
 */
import type { OnReadOpts, Socket } from "node:net";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { errorCode } from "./bind_error.ts";
import { type BufferPool, ReadBuffer } from "./read_buffers.ts";
import { type Dialer, type SocketOwner, type TcpSocket, UNOWNED } from "./tcp_socket.ts";

const NOTHING = new Uint8Array(0);

/** Turns its events and its stream machine into what an owner hears. */
export class NodeSocket implements TcpSocket {
  owner: SocketOwner;
  readonly #socket: Socket;
  readonly #buffer: ReadBuffer;
  readonly #flushed: (error?: Error | null) => void;
  #isFlushing = false;
  #hasEnded = false;
  #isClosed = false;

  /** @param open makes the socket, which reads as `onread` says */
  constructor(
    pool: BufferPool,
    owner: SocketOwner,
    open: (onread: OnReadOpts, wrapper: NodeSocket) => Socket,
  ) {
    this.owner = owner;
    this.#buffer = new ReadBuffer(pool);
    this.#flushed = (error) => {
      this.#isFlushing = false;
      if (error || this.#isClosed) return;
      if (this.#socket.writableLength > 0) this.#awaitFlush();
      else this.owner.flushed();
    };
    const callback = (length: number, memory: Uint8Array) => this.#read(memory.subarray(0, length));
    const socket = this.#socket = open({ buffer: () => this.#buffer.next, callback }, this);
    socket.on("end", () => {
      this.#hasEnded = true;
      if (!this.#isClosed) this.owner.ended();
    });
    socket.on("error", (error) => this.#failed(errorCode(error)));
    socket.on("close", () => {
      if (!this.#hasEnded) this.#failed("ECONNRESET");
      this.#buffer.close(this.owner.isHolding);
      this.owner.closed();
    });
  }

  /** An accepted socket. */
  static accepted(
    pool: BufferPool,
    open: (onread: OnReadOpts, wrapper: NodeSocket) => Socket,
  ): Socket {
    const made = new NodeSocket(pool, UNOWNED, open);
    return made.#socket.pause();
  }

  /** A socket that takes no `onread`: each chunk is memory of its own. */
  static plain(pool: BufferPool, socket: Socket): NodeSocket {
    const made = new NodeSocket(pool, UNOWNED, () => socket);
    socket.pause();
    socket.on("data", (chunk: Uint8Array) => {
      if (!made.#isClosed && !made.owner.receive(chunk)) socket.pause();
    });
    return made;
  }

  /** Tells the dialer when the connection is there. */
  dial(dialer: Dialer): void {
    this.#socket.on("connect", () => {
      if (!this.#isClosed) dialer.connected();
    });
  }

  #read(chunk: Uint8Array): boolean {
    // Bytes may still come in while the socket is being destroyed.
    if (this.#isClosed) return false;
    const readOn = this.owner.receive(chunk);
    this.#buffer.advance(chunk.length, this.owner.isHolding);
    return readOn;
  }

  #failed(code: string): void {
    if (!this.#isClosed) this.owner.failed(code);
  }

  readStart(): void {
    if (!this.#isClosed) this.#socket.resume();
  }

  write(chunk: Uint8Array): boolean {
    this.#socket.write(chunk);
    // A write that the kernel took whole leaves nothing behind.
    if (this.#socket.writableLength === 0) return true;
    if (!this.#isFlushing) this.#awaitFlush();
    return false;
  }

  /** An empty write tells when those before it are through; asking for each write's end would cost every chunk. */
  #awaitFlush(): void {
    this.#isFlushing = true;
    this.#socket.write(NOTHING, this.#flushed);
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  reset(): void {
    this.#isClosed = true;
    this.#socket.resetAndDestroy();
  }

  peer(): Endpoint | undefined {
    return endpointOf(this.#socket.remoteAddress, this.#socket.remotePort);
  }

  local(): Endpoint | undefined {
    return endpointOf(this.#socket.localAddress, this.#socket.localPort);
  }
}

function endpointOf(host: string | undefined, port: number | undefined): Endpoint | undefined {
  const address = host === undefined ? undefined : IpAddress.tryParse(host);
  return address === undefined ? undefined : { address, port: port ?? 0 };
}
