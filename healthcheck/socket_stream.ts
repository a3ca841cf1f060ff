/**
 * A byte stream over node:net and node:tls, whose sockets let go at once when destroyed, in the middle of a connect too.
 *
 * @module
 */
import type { Socket } from "node:net";
import { CheckError, type CheckFailure, type CheckStream } from "./check.ts";
import { checkErrorOf } from "./failure_reason.ts";

/** Waits for `event` (`connect`, `secureConnect`) and hands the socket over; on abort or error it is destroyed. */
export async function openedStream(
  socket: Socket,
  event: "connect" | "secureConnect",
  otherwise: CheckFailure,
  signal: AbortSignal,
): Promise<SocketStream> {
  const stream = new SocketStream(socket, signal);
  try {
    await stream.opened(event);
    return stream;
  } catch (error) {
    stream[Symbol.dispose]();
    throw checkErrorOf(error, otherwise);
  }
}

/** `CheckStream` over a socket. At most one read and one write at a time. */
export class SocketStream implements CheckStream {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #onAbort = () => void this.#socket.destroy(new CheckError("timeout", this.#whereItStood()));
  #rest: Uint8Array = new Uint8Array(0);
  #isOpen = false;

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    // Errors reach whoever waits; one that comes when nobody does must not end the process.
    socket.on("error", () => {});
    this.#chunks = socket[Symbol.asyncIterator]();
    signal.addEventListener("abort", this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  /** Resolves when the socket tells `event`. */
  opened(event: "connect" | "secureConnect"): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once(event, () => {
        this.#isOpen = true;
        resolve();
      });
      this.#socket.once("error", reject);
      this.#socket.once("close", () => reject(new CheckError("closed", "closed before it was open")));
    });
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#rest.length === 0) {
      const chunk = await this.#next();
      if (chunk === null) return null;
      this.#rest = chunk;
    }
    const size = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, size));
    this.#rest = this.#rest.subarray(size);
    return size;
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) reject(checkErrorOf(error, "closed"));
        else resolve();
      });
    });
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#socket.destroy();
  }

  async #next(): Promise<Uint8Array | null> {
    try {
      const { done, value } = await this.#chunks.next();
      return done ? null : value;
    } catch (error) {
      throw checkErrorOf(error, "closed");
    }
  }

  #whereItStood(): string {
    if (!this.#isOpen) return "no connection in time";
    const bytes = this.#socket.bytesRead;
    return bytes === 0
      ? "connected, no answer in time"
      : `answer not complete in time, ${bytes} bytes so far`;
  }
}
