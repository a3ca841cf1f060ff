/**
 * Which connection an entry of the director belongs to.
 *
 * @module
 */
import { slotMask } from "../../director/slots.ts";

/** Connection numbers by the entry's row; whoever asks compares the whole handle. */
export class EntryOwners {
  readonly #mask: number;
  readonly #numbers: Int32Array;

  /** @param entries capacity of the director's connection table */
  constructor(entries: number) {
    this.#mask = slotMask(entries);
    this.#numbers = new Int32Array(entries + 1);
  }

  set(entry: number, connection: number): void {
    this.#numbers[entry & this.#mask] = connection;
  }

  /** Forgets the entry, unless its row has another owner by now. */
  clear(entry: number, connection: number): void {
    if (this.#numbers[entry & this.#mask] === connection) this.#numbers[entry & this.#mask] = 0;
  }

  /** Number of the connection, 0 for none. */
  of(entry: number): number {
    return this.#numbers[entry & this.#mask] ?? 0;
  }
}
