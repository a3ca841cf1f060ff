/**
 * Memory for the schedulers' cells: blocks of one arena in the store, handed out and taken back by the control plane.
 *
 * @module
 */

/** A block begins with two words: its length, and whether it is in use. */
const BLOCK_HEADER = 2;

/** Words of the arena that a scheduler with so many cells takes. */
export function arenaWords(cellCount: number): number {
  return cellCount === 0 ? 0 : cellCount + BLOCK_HEADER;
}

/** First fit over the blocks in order of address; free neighbours are joined on the way. */
export class CellArena {
  readonly #cells: Int32Array;

  constructor(cells: Int32Array) {
    this.#cells = cells;
    if (cells.length > BLOCK_HEADER && cells[0] === 0) cells[0] = cells.length;
  }

  /** Index of the first of `count` zeroed cells, or -1 when no block is large enough. */
  take(count: number): number {
    const needed = count + BLOCK_HEADER;
    const cells = this.#cells;
    for (let block = 0; block < cells.length;) {
      const length = this.#joined(block);
      if (cells[block + 1] === 0 && length >= needed) {
        // A rest too small for a header stays with the block.
        if (length - needed > BLOCK_HEADER) {
          cells[block + needed] = length - needed;
          cells[block + needed + 1] = 0;
          cells[block] = needed;
        }
        cells[block + 1] = 1;
        return block + BLOCK_HEADER;
      }
      block += length;
    }
    return -1;
  }

  /** Gives cells back that {@linkcode take} returned; they are zeroed for the next owner. */
  give(index: number): void {
    const block = index - BLOCK_HEADER;
    this.#cells.fill(0, index, block + (this.#cells[block] ?? 0));
    this.#cells[block + 1] = 0;
  }

  /** Length of a block after joining it, if free, with the free ones behind it. */
  #joined(block: number): number {
    const cells = this.#cells;
    let length = cells[block] ?? 0;
    if (cells[block + 1] !== 0) return length;
    for (let next = block + length; next < cells.length && cells[next + 1] === 0; next = block + length) {
      length += cells[next] ?? 0;
      // Block headers inside the joined block become cells: leave nothing behind.
      cells[next] = 0;
      cells[next + 1] = 0;
      cells[block] = length;
    }
    return length;
  }
}
