/**
 * Bytes and packets that the director is told of some time after they moved.
 *
 * @module
 */
import type { Moving, Uncounted } from "./worker_parts.ts";

/** How long bytes may be uncounted. */
const BYTES_MS = 10;
/** Distance of two countings of packets: what IPVS's own estimator takes to look at its counters. */
const PACKETS_MS = 2_000;

/** Who has moved some. */
export class LateCounts {
  readonly uncounted: Uncounted[] = [];
  readonly moving: Moving[] = [];
  /** When the director has to be told of bytes, by `performance.now()`. */
  bytesDueMs = Infinity;
  #packetsDueMs = 0;

  tellBytes(realMs: number): void {
    if (this.uncounted.length === 0) return;
    if (this.bytesDueMs === Infinity) this.bytesDueMs = realMs + BYTES_MS;
    if (realMs < this.bytesDueMs) return;
    this.bytesDueMs = Infinity;
    for (const it of this.uncounted) it.tellCount();
    this.uncounted.length = 0;
  }

  /** Asking the kernel costs a system call for each socket: done seldom, and never for a connection that stands still. */
  tellPackets(nowMs: number): void {
    if (nowMs < this.#packetsDueMs || this.moving.length === 0) return;
    this.#packetsDueMs = nowMs + PACKETS_MS;
    for (const it of this.moving) it.tellPackets();
    this.moving.length = 0;
  }
}
