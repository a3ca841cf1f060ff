/**
 * Memory that sockets are read into, in place of a new 64 KiB for each read.
 *
 * A write that the kernel does not take at once keeps pointing at its chunk (Deno 2.9.6 copies nothing), so memory is read
 * into again only when no write is waiting for it. The source is not read then, as a rule; but node:net's resume() that
 * comes just before takes effect a moment after.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";

/** Buffers that no socket uses at the moment. */
export class BufferPool {
  readonly #large: Uint8Array[] = [];
  readonly #small: Uint8Array[] = [];

  /** One of `LIMITS.relayBufferBytes`. */
  takeLarge(): Uint8Array {
    return this.#large.pop() ?? new Uint8Array(LIMITS.relayBufferBytes);
  }

  /** One of `LIMITS.relaySmallReadBytes`. */
  takeSmall(): Uint8Array {
    return this.#small.pop() ?? new Uint8Array(LIMITS.relaySmallReadBytes);
  }

  /** Takes either back. */
  give(buffer: Uint8Array): void {
    if (buffer.length === LIMITS.relayBufferBytes) {
      if (this.#large.length < LIMITS.relaySpareBuffers) this.#large.push(buffer);
    } else if (this.#small.length < LIMITS.relaySpareSmallBuffers) {
      this.#small.push(buffer);
    }
  }
}

/** Where one socket is read into: a small buffer of its own while little comes, a large one of the pool for bulk. */
export class ReadBuffer {
  readonly #pool: BufferPool;
  #small: Uint8Array | undefined;
  #current: Uint8Array;
  /** A large one that a write is waiting for. */
  #held: Uint8Array | undefined;

  constructor(pool: BufferPool) {
    this.#pool = pool;
    this.#current = this.#small = pool.takeSmall();
  }

  /** What the next read fills. */
  get next(): Uint8Array {
    return this.#current;
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
      this.#current = this.#pool.takeLarge();
      return;
    }
    this.#release();
    if (isSmall) {
      if (length === this.#current.length) this.#current = this.#pool.takeLarge();
    } else if (length < LIMITS.relaySmallReadBytes) {
      this.#pool.give(this.#current);
      this.#current = this.#small ??= this.#pool.takeSmall();
    }
  }

  #release(): void {
    if (this.#held === undefined) return;
    this.#pool.give(this.#held);
    this.#held = undefined;
  }

  /** The socket is closed: its memory serves others, but for what a write may still point at. */
  close(isHeld: boolean): void {
    if (isHeld) return;
    this.#release();
    if (this.#current !== this.#small) this.#pool.give(this.#current);
    if (this.#small !== undefined) this.#pool.give(this.#small);
  }
}
