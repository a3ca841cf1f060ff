/**
 * Frames that leave together: one system call for all that one turn has for a socket.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import { MessageTable } from "./message_table.ts";
import type { PacketLibrary } from "./packet_library.ts";

const MSG_DONTWAIT = 0x40;
const MOST_FRAMES = LIMITS.packetSendFrames;
/** For frames that lie where no address is known: two of the largest. */
const SCRATCH_BYTES = 2 * 131_072;
const UNKNOWN = -1;

/**
 * Collects frames of one socket and sends them. What lies in memory that was made known must not be changed before
 * {@linkcode FrameSender.flush}; other frames are copied and may be.
 */
export class FrameSender {
  /** Frames that could not be sent. */
  failures = 0;
  readonly #library: PacketLibrary;
  readonly #known: { readonly bytes: Uint8Array; readonly address: number }[] = [];
  readonly #table: MessageTable;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  readonly #scratchAddress: number;
  #scratchUsed = 0;
  #count = 0;
  #descriptor = -1;

  constructor(library: PacketLibrary) {
    this.#library = library;
    this.#table = new MessageTable(library, MOST_FRAMES, 1);
    this.#scratchAddress = library.addressOf(this.#scratch);
  }

  /** Makes memory known, so that frames are sent from where they lie; it has to live as long as the sender. */
  adopt(bytes: Uint8Array, address: number): void {
    this.#known.push({ bytes, address });
  }

  /** A frame for a socket, `bytes` from `from` up to `to`. Another socket's frames, and too many, go first. */
  add(descriptor: number, bytes: Uint8Array, from: number, to: number): void {
    if (descriptor !== this.#descriptor || this.#count === MOST_FRAMES) this.flush();
    this.#descriptor = descriptor;
    const base = this.#addressOf(bytes);
    const address = base === UNKNOWN ? this.#copy(bytes, from, to) : base + from;
    this.#table.setVector(this.#count++, address, to - from);
  }

  /** Sends what was added. */
  flush(): void {
    const { messages } = this.#table;
    while (this.#count > 0) {
      const result = this.#library.sendMessages(this.#descriptor, messages, this.#count, MSG_DONTWAIT);
      if (result === this.#count) break;
      // The one after those that went was refused; the others may go.
      this.failures++;
      const gone = Math.max(0, result) + 1;
      this.#table.moveVectors(gone, this.#count);
      this.#count -= gone;
    }
    this.#count = 0;
    this.#scratchUsed = 0;
  }

  #addressOf(bytes: Uint8Array): number {
    const known = this.#known;
    for (let i = 0; i < known.length; i++) {
      const memory = known[i];
      if (memory?.bytes === bytes) return memory.address;
    }
    return UNKNOWN;
  }

  /** Where the copy lies. */
  #copy(bytes: Uint8Array, from: number, to: number): number {
    if (this.#scratchUsed + to - from > SCRATCH_BYTES) this.flush();
    const at = this.#scratchUsed;
    this.#scratch.set(bytes.subarray(from, to), at);
    this.#scratchUsed += to - from;
    return this.#scratchAddress + at;
  }
}
