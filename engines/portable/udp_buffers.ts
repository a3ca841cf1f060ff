/**
 * Buffers for datagrams on their way back, one for each session.
 *
 * @module
 */

/** Holds any datagram: 65,507 bytes over IPv4, 65,527 over IPv6; whole pages. */
export const UDP_BUFFER_BYTES = 65_536;

/**
 * How many buffers are allocated at a time. Memory that was never written costs nothing, but only in large pieces:
 * 8,192 sessions with small replies take 80 MiB with 64 (4 MiB) at a time and 490 MiB one by one, which are zeroed.
 */
const SLAB_BUFFERS = 64;

/**
 * A pool of equal buffers. A socket that waits for a datagram owns the buffer it waits with, so sessions cannot
 * share one.
 */
export class UdpBuffers {
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  /** A buffer of 64 KiB; the one given back last comes first, as its pages are there already. */
  take(): Uint8Array<ArrayBuffer> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const slab = new Uint8Array(SLAB_BUFFERS * UDP_BUFFER_BYTES);
    for (let i = SLAB_BUFFERS - 1; i > 0; i--) {
      this.#free.push(slab.subarray(i * UDP_BUFFER_BYTES, (i + 1) * UDP_BUFFER_BYTES));
    }
    return slab.subarray(0, UDP_BUFFER_BYTES);
  }

  give(buffer: Uint8Array<ArrayBuffer>): void {
    this.#free.push(buffer);
  }

  /** Buffers that wait for a session. */
  get free(): number {
    return this.#free.length;
  }
}
