/**
 * A `Deno.Conn` as the stream that node:http takes.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";

const READ_BYTES = 16_384;

/** Closes the connection when it is destroyed; an error after that is nobody's business any more. */
export class ConnectionStream extends Duplex {
  readonly #connection: Deno.Conn;

  constructor(connection: Deno.Conn) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    this.on("error", () => {});
  }

  override _read(): void {
    // A buffer for each read: the reader may keep what it was given.
    const buffer = new Uint8Array(READ_BYTES);
    this.#connection.read(buffer).then(
      (size) => this.push(size === null ? null : Buffer.from(buffer.buffer, 0, size)),
      (error) => this.destroy(error),
    );
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#writeAll(chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error) => void): void {
    this.#closeWrite().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#connection.close();
    done(error);
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength;) at += await this.#connection.write(chunk.subarray(at));
  }

  async #closeWrite(): Promise<void> {
    if ("closeWrite" in this.#connection) await this.#connection.closeWrite();
  }
}
