/**
 * A long stream of bytes of which no two stretches are alike, made without holding it: what is lost, doubled or out of
 * place changes its hash.
 */
import { createHash, type Hash } from "node:crypto";

const CHUNK_BYTES = 65_536;
const BLOCK_BYTES = 2 ** 20;
/** Odd, so that the steps reach every offset of the block before one comes again. */
const STEP_BYTES = 4_099;

/** The stream and the hash of what has been taken of it so far. */
export class PatternedBytes {
  readonly #hash: Hash = createHash("sha256");
  readonly #bytes: number;

  /** @param bytes length of the stream */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Hash of the whole stream, once it has been read to its end. */
  digest(): string {
    return this.#hash.digest("hex");
  }

  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const block = randomBytes(BLOCK_BYTES + CHUNK_BYTES);
    let sent = 0;
    return new ReadableStream({
      pull: (controller) => {
        const size = Math.min(CHUNK_BYTES, this.#bytes - sent);
        const offset = (sent / CHUNK_BYTES * STEP_BYTES) % BLOCK_BYTES;
        // A copy: whoever reads the stream owns its chunks.
        const chunk = block.slice(offset, offset + size);
        sent += size;
        this.#hash.update(chunk);
        controller.enqueue(chunk);
        if (sent === this.#bytes) controller.close();
      },
    });
  }
}

/** Hash of everything that a stream brings, and how much that was. */
export async function hashOf(stream: ReadableStream<Uint8Array>): Promise<{ digest: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of stream) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { digest: hash.digest("hex"), bytes };
}

/** `crypto.getRandomValues` fills at most 65,536 bytes at once. */
export function randomBytes(bytes: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += CHUNK_BYTES) crypto.getRandomValues(all.subarray(at, at + CHUNK_BYTES));
  return all;
}
