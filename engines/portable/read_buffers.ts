/**
 * Memory that server sockets are read into, in place of a new 64 KiB for each read.
 *
 * A write that the kernel does not take at once keeps pointing at its chunk (Deno 2.9.6 copies nothing), so memory is read
 * into again only when no write is waiting for it. The source is not read then, as a rule; but a resume() that comes just
 * before takes effect a moment after.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";

/** Buffers of `LIMITS.relayBufferBytes`, shared by the connections that read much right now. */
export class BufferPool {
  readonly #free: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(LIMITS.relayBufferBytes);
  }

  give(buffer: Uint8Array): void {
    if (this.#free.length < LIMITS.relaySpareBuffers) this.#free.push(buffer);
  }
}

/** Where one socket is read into: a small buffer of its own while little comes, a large one of the pool for bulk. */
export class ReadBuffer {
  /** What the next read fills. */
  readonly next: () => Uint8Array = () => this.#current;
  readonly #pool: BufferPool;
  #small: Uint8Array | undefined;
  #current: Uint8Array;
  /** A large one that a write is waiting for. */
  #held: Uint8Array | undefined;

  constructor(pool: BufferPool) {
    this.#pool = pool;
    this.#current = this.#small = new Uint8Array(LIMITS.relaySmallReadBytes);
  }

  /**
   * Chooses where the next read goes.
   *
   * @param length bytes of the read that was just passed on
   * @param isHeld whether they are still in use
   */
  advance(length: number, isHeld: boolean): void {
    const isSmall = this.#current === this.#small;
    if (isHeld) {
      if (isSmall) this.#small = undefined;
      else this.#held ??= this.#current;
      this.#current = this.#pool.take();
      return;
    }
    this.#release();
    if (isSmall) {
      if (length === this.#current.length) this.#current = this.#pool.take();
    } else if (length < LIMITS.relaySmallReadBytes) {
      this.#pool.give(this.#current);
      this.#current = this.#small ??= new Uint8Array(LIMITS.relaySmallReadBytes);
    }
  }

  #release(): void {
    if (this.#held === undefined) return;
    this.#pool.give(this.#held);
    this.#held = undefined;
  }

  /** The socket is closed: its large buffer serves others, unless a write may still point at it. */
  close(isHeld: boolean): void {
    if (!isHeld && this.#current !== this.#small) this.#pool.give(this.#current);
    this.#held = undefined;
  }
}
