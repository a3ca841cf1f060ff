/**
 * Rows of a table and their handles. A handle names a row and which use of the row is meant, so that one kept too
 * long is noticed instead of naming a newcomer.
 *
 * @module
 */

/** Mask that turns a handle of a table with this capacity into its row. */
export function slotMask(capacity: number): number {
  return 2 ** slotBits(capacity) - 1;
}

function slotBits(capacity: number): number {
  return 32 - Math.clz32(capacity);
}

/** A table of rows: where its words are, how wide a row is, and which words the pool may use. */
export interface SlotTable {
  readonly words: Int32Array;
  readonly stride: number;
  readonly capacity: number;
  /** Word of the row's handle: above 0 while the row is in use. */
  readonly handle: number;
  /** Word that holds the next free row. */
  readonly link: number;
}

/** Words of a pool's own state: first free row, rows ever used. */
const FREE = 0;
const USED = 1;

/** Hands out rows 1 to capacity: first those given back (last in, first out: still in the cache), then fresh ones. */
export class SlotPool {
  readonly #state: Int32Array;
  readonly #base: number;
  readonly #table: SlotTable;
  readonly #bits: number;

  /** `state[base]` and `state[base + 1]` are the pool's memory. */
  constructor(state: Int32Array, base: number, table: SlotTable) {
    this.#state = state;
    this.#base = base;
    this.#table = table;
    this.#bits = slotBits(table.capacity);
  }

  /** A row, its handle set, or 0 when all are taken. */
  take(): number {
    const { words, stride, handle, link } = this.#table;
    let slot = this.#state[this.#base + FREE] ?? 0;
    if (slot !== 0) {
      this.#state[this.#base + FREE] = words[slot * stride + link] ?? 0;
      words[slot * stride + handle] = -(words[slot * stride + handle] ?? 0);
      return slot;
    }
    slot = (this.#state[this.#base + USED] ?? 0) + 1;
    if (slot > this.#table.capacity) return 0;
    this.#state[this.#base + USED] = slot;
    words[slot * stride + handle] = slot;
    return slot;
  }

  /** Gives a row back. Its next handle waits in the row as a negative number, so the old one no longer matches. */
  give(slot: number): void {
    const { words, stride, handle, link } = this.#table;
    const generation = ((words[slot * stride + handle] ?? 0) >>> this.#bits) + 1;
    // Handles stay below 2^31: V8 keeps such numbers without a heap object.
    const wrapped = generation >= 2 ** (31 - this.#bits) ? 0 : generation;
    words[slot * stride + handle] = -((wrapped << this.#bits) | slot);
    words[slot * stride + link] = this.#state[this.#base + FREE] ?? 0;
    this.#state[this.#base + FREE] = slot;
  }

  /** Rows ever used: none beyond is in use. */
  get used(): number {
    return this.#state[this.#base + USED] ?? 0;
  }
}
