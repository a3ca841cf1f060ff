/**
 * One socket on a handle of the runtime.
 *
 * @module
 */
import { getSystemErrorName } from "node:util";
import type { Endpoint } from "../../net/endpoint.ts";
import type { FairTurns } from "./fair_turns.ts";
import type { HandleOwner, HandleRequest, TcpHandle } from "./handle_binding.ts";
import { type BufferPool, ReadBuffer } from "./read_buffers.ts";
import type { Dialer, SocketOwner, TcpSocket } from "./tcp_socket.ts";

/** `UV_EOF`, the same on every system. */
const END_OF_STREAM = -4_095;

/** `ECONNRESET` and the like, of a negative error number. */
export function systemCode(status: number): string {
  return getSystemErrorName(status) ?? "UNKNOWN";
}

/** What sockets have in common. */
export interface HandleShare {
  readonly pool: BufferPool;
  readonly turns: FairTurns;
  /** What the last read was: bytes, or a negative error number. */
  readonly readLength: number;
  /** Whether the last write was not taken whole. */
  readonly isQueued: boolean;
  /** A request for one write. One that the kernel takes whole leaves it unused: it serves the next one. */
  readonly write: HandleRequest;
  /** That request is under way: the next write needs another one. */
  writeUsed(): void;
  shutdownRequest(): HandleRequest;
  peer(handle: TcpHandle): Endpoint | undefined;
  local(handle: TcpHandle): Endpoint | undefined;
}

/** Belongs to one handle, whose callbacks find it as their handle's owner: no closures. */
export class HandleSocket implements TcpSocket, HandleOwner {
  owner: SocketOwner;
  readonly #sockets: HandleShare;
  readonly #handle: TcpHandle;
  readonly #buffer: ReadBuffer;
  #dialer: Dialer | undefined;
  #writes = 0;
  #queuedWrites = 0;
  #isReading = false;
  #hasEnded = false;
  #isClosed = false;

  /** @param dialer of a socket that is to be connected */
  constructor(sockets: HandleShare, handle: TcpHandle, owner: SocketOwner, dialer?: Dialer) {
    this.owner = owner;
    this.#sockets = sockets;
    this.#handle = handle;
    this.#dialer = dialer;
    this.#buffer = new ReadBuffer(sockets.pool);
    handle.owner = this;
    handle.onread = readDone;
    handle.useUserBuffer(this.#buffer.next);
  }

  readStart(): void {
    if (this.#isReading || this.#hasEnded || this.#isClosed) return;
    this.#isReading = true;
    this.#check(this.#handle.readStart());
  }

  readDone(length: number = this.#sockets.readLength): void {
    if (this.#isClosed || length === 0) return;
    if (length < 0) {
      // The handle has stopped.
      this.#isReading = false;
      this.#hasEnded = true;
      if (length === END_OF_STREAM) this.owner.ended();
      else this.owner.failed(systemCode(length));
      return;
    }
    const memory = this.#buffer.next;
    const readOn = this.owner.receive(memory.subarray(0, length));
    if (this.#isClosed) return;
    this.#buffer.advance(length, this.owner.isHolding);
    const next = this.#buffer.next;
    if (next !== memory) this.#handle.useUserBuffer(next);
    if (readOn && !this.#sockets.turns.hasToStop(this)) return;
    this.#isReading = false;
    this.#handle.readStop();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isClosed) return true;
    // Nothing can be held back behind a first write, and short connections write once.
    if (this.#writes++ === 1) this.#handle.setNoDelay(true);
    const sockets = this.#sockets;
    const request = sockets.write;
    const status = this.#handle.writeBuffer(request, chunk);
    if (status === 0 && !sockets.isQueued) return this.#queuedWrites === 0;
    sockets.writeUsed();
    this.#queuedWrites++;
    if (status === 0) request.buffer = chunk;
    else this.#check(status);
    return false;
  }

  writeDone(status: number): void {
    if (this.#isClosed) return;
    this.#queuedWrites--;
    if (status !== 0) this.owner.failed(systemCode(status));
    else if (this.#queuedWrites === 0) this.owner.flushed();
  }

  connectDone(status: number): void {
    const dialer = this.#dialer;
    this.#dialer = undefined;
    this.#sockets.turns.otherDone();
    if (this.#isClosed) return;
    if (status === 0) dialer?.connected();
    else this.owner.failed(systemCode(status));
  }

  /** Something is wrong at once; told when the caller has done. */
  #check(status: number): void {
    if (status !== 0) this.failSoon(systemCode(status));
  }

  /** Tells the owner when the caller has done: nobody expects to hear of a failure in the middle of a call. */
  failSoon(code: string): void {
    queueMicrotask(() => {
      if (!this.#isClosed) this.owner.failed(code);
    });
  }

  end(): void {
    if (!this.#isClosed) this.#check(this.#handle.shutdown(this.#sockets.shutdownRequest()));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#buffer.close(this.owner.isHolding);
    // The descriptor is given back at once; to be told so would cost a connection 3 µs.
    this.#handle.close();
    this.owner.closed();
  }

  reset(): void {
    if (this.#isClosed) return;
    this.#handle.reset();
    this.close();
  }

  peer(): Endpoint | undefined {
    return this.#sockets.peer(this.#handle);
  }

  local(): Endpoint | undefined {
    return this.#sockets.local(this.#handle);
  }
}

function readDone(this: TcpHandle, _memory: unknown, length?: number): void {
  this.owner?.readDone(length);
}
