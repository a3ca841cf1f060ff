/**
 * Reads a socket into memory that is used again (`onread` of node:net).
 *
 * @module
 */
import type { OnReadOpts } from "node:net";
import { type BufferPool, ReadBuffer } from "./read_buffers.ts";

/** Takes what is read. */
export interface ReadSink {
  /** @returns whether to read on */
  receive(chunk: Uint8Array): boolean;
  /** Whether memory of received chunks is still in use. */
  readonly isHolding: boolean;
}

/** Belongs to one socket, for which {@linkcode onread} has to be an option. */
export class SocketReader {
  readonly onread: OnReadOpts;
  readonly #buffer: ReadBuffer;
  #sink: ReadSink | undefined;

  constructor(pool: BufferPool) {
    const buffer = this.#buffer = new ReadBuffer(pool);
    this.onread = {
      buffer: buffer.next,
      callback: (length, bytes) => {
        const sink = this.#sink;
        // Bytes may still come in while the socket is being destroyed.
        if (sink === undefined) return false;
        const readOn = sink.receive(bytes.subarray(0, length));
        buffer.advance(length, sink.isHolding);
        return readOn;
      },
    };
  }

  /** Bytes go here from now on; to be called before the event loop turns. */
  attach(sink: ReadSink): void {
    this.#sink = sink;
  }

  /** The socket is closed. */
  close(): void {
    const isHeld = this.#sink?.isHolding ?? false;
    this.#sink = undefined;
    this.#buffer.close(isHeld);
  }
}
