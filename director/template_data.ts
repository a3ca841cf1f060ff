/**
 * What a persistence engine found, beside the rows of the templates.
 *
 * @module
 */
import { TEMPLATE_DATA_BYTES } from "./layout.ts";

/** A length and up to 255 bytes for each row. */
export class TemplateData {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  write(row: number, data: Uint8Array): void {
    const start = row * TEMPLATE_DATA_BYTES;
    this.#bytes[start] = data.length;
    this.#bytes.set(data, start + 1);
  }

  /** A view, not a copy. */
  read(row: number): Uint8Array {
    const start = row * TEMPLATE_DATA_BYTES;
    return this.#bytes.subarray(start + 1, start + 1 + (this.#bytes[start] ?? 0));
  }

  equals(row: number, data: Uint8Array): boolean {
    const start = row * TEMPLATE_DATA_BYTES;
    if (this.#bytes[start] !== data.length) return false;
    for (let i = 0; i < data.length; i++) {
      if (this.#bytes[start + 1 + i] !== data[i]) return false;
    }
    return true;
  }
}

/** Hash of bytes under a secret seed (FNV-1a, then the end of MurmurHash3). */
export function hashBytes(seed: number, data: Uint8Array): number {
  let hash = seed ^ 0x811c9dc5;
  for (let i = 0; i < data.length; i++) hash = Math.imul(hash ^ (data[i] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
