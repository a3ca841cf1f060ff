/**
 * Memory for bytes on their way: one buffer that every read of a worker fills, and a few for what a slow peer has not taken.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import { type Address, addressOf } from "../../sys/libc.ts";

/** An array with its address. */
export interface Buffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly address: Address;
}

export function makeBuffer(length: number): Buffer {
  const bytes = new Uint8Array(length);
  return { bytes, address: addressOf(bytes) };
}

/** The buffers of one worker. */
export class SideBuffers {
  /** What is read, until it is written or kept. */
  readonly received: Buffer = makeBuffer(LIMITS.relayBufferBytes);
  readonly #free: Buffer[] = [];

  /** A buffer of `LIMITS.relayBufferBytes`. */
  take(): Buffer {
    return this.#free.pop() ?? makeBuffer(LIMITS.relayBufferBytes);
  }

  give(buffer: Buffer): void {
    if (this.#free.length < LIMITS.relaySpareBuffers) this.#free.push(buffer);
  }
}
