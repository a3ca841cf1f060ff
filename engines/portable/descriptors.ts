/**
 * File descriptors: how many there are, and whether one more connection still has room.
 *
 * Why they are counted: once an accept has failed for want of a descriptor, a listener of Deno 2.9 never accepts again
 * and tells nobody. It also accepts all that waits in the backlog before it asks. So a share of the descriptors
 * is kept free, and connections beyond are refused while there still is one to refuse them with.
 *
 * @module
 */
import { SystemError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import { readDescriptorTable } from "../../sys/descriptor_table.ts";

/** What is known of the process when the engine starts. */
export interface DescriptorCount {
  /** Descriptors that the process may have; Infinity when the system does not say. */
  readonly limit: number;
  /** Those open already. */
  readonly open: number;
}

/** At the start a process has its first few descriptors open; beyond these nobody looks. */
const LOOKED_AT = 4_096;

/** Asks the C library: Deno lets a program read `/proc/self` with --allow-all alone. Unknown where there is no FFI. */
export function countDescriptors(): DescriptorCount {
  try {
    return readDescriptorTable(LOOKED_AT);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return { limit: Infinity, open: 0 };
  }
}

/**
 * The engine's account of its descriptors.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const descriptors = new Descriptors({ limit: 160, open: 30 });
 * assert.equal(descriptors.backlog, 15);
 * descriptors.take(108);
 * assert.ok(descriptors.hasRoomFor(2));
 * descriptors.take(2);
 * assert.ok(!descriptors.hasRoomFor(2));
 * ```
 */
export class Descriptors {
  #room: number;
  readonly #backlog: number;
  #taken = 0;

  constructor({ limit, open }: DescriptorCount) {
    const share = Math.floor(limit * LIMITS.spareDescriptorsPerMille / 1_000);
    const spare = Math.min(Math.max(share, LIMITS.spareDescriptorsLeast), LIMITS.spareDescriptorsMost);
    this.#room = limit - open - spare;
    // A quarter of the spare ones is left when a whole backlog has been accepted at once.
    this.#backlog = Math.min(LIMITS.tcpBacklogConnections, Math.floor(spare * 3 / 4));
  }

  /** How many connections may wait for one listener. */
  get backlog(): number {
    return this.#backlog;
  }

  /** Sockets open now. */
  get taken(): number {
    return this.#taken;
  }

  /** Sockets that may be open at once. */
  get room(): number {
    return this.#room;
  }

  hasRoomFor(count: number): boolean {
    return this.#taken + count <= this.#room;
  }

  take(count: number): void {
    this.#taken += count;
  }

  give(count: number): void {
    this.#taken -= count;
  }

  /** None was left although there should have been room: from now on this many are the most. */
  ranOut(): void {
    this.#room = Math.min(this.#room, this.#taken);
  }
}
