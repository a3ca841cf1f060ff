/** Streams of bytes whose every byte is known, so that a lost, doubled or swapped one is found where it is. */
import { Buffer } from "node:buffer";
import { type Random, SeededRandom } from "../../../net/random.ts";

/** Prime, so that no buffer size of a relay divides it. */
const BLOCK_BYTES = 1_000_003;

/** What a stream repeats; the same for the same seed. */
export type StreamBlock = Uint8Array<ArrayBuffer>;

export function streamBlock(seed: number): StreamBlock {
  const random = new SeededRandom(seed);
  const block = new Uint8Array(BLOCK_BYTES);
  const words = new DataView(block.buffer);
  for (let i = 0; i + 4 <= BLOCK_BYTES; i += 4) words.setUint32(i, random.below(2 ** 32));
  return block;
}

/** An endless stream. */
export class ByteStream {
  readonly #block: StreamBlock;
  #at = 0;

  constructor(block: StreamBlock) {
    this.#block = block;
  }

  /** The next bytes, at most this many; valid for good. */
  take(atMost: number): Uint8Array<ArrayBuffer> {
    const chunk = this.#block.subarray(this.#at, Math.min(this.#at + atMost, BLOCK_BYTES));
    this.#at = (this.#at + chunk.length) % BLOCK_BYTES;
    return chunk;
  }

  /** How many of the bytes are not the next ones. */
  countWrong(bytes: Uint8Array): number {
    let wrong = 0;
    for (let rest = bytes; rest.length > 0;) {
      const expected = this.take(rest.length);
      const seen = rest.subarray(0, expected.length);
      rest = rest.subarray(expected.length);
      if (Buffer.compare(expected, seen) === 0) continue;
      for (let i = 0; i < seen.length; i++) if (seen[i] !== expected[i]) wrong++;
    }
    return wrong;
  }
}

/** Sends `total` bytes of a stream in chunks of 1 byte to 64 KiB, then ends its own way. */
export async function sendStream(
  conn: Deno.TcpConn,
  total: number,
  block: StreamBlock,
  random: Random,
): Promise<void> {
  const stream = new ByteStream(block);
  let sent = 0;
  while (sent < total) {
    // Half of the chunks are small: sizes spread evenly would hardly ever be.
    const most = random.below(2) === 0 ? 65_536 : 200;
    const chunk = stream.take(Math.min(1 + random.below(most), total - sent));
    for (let at = 0; at < chunk.length;) at += await conn.write(chunk.subarray(at));
    sent += chunk.length;
  }
  await conn.closeWrite();
}

/** What came until the end of the stream. */
export interface ReceivedStream {
  readonly bytes: number;
  readonly wrong: number;
}

/** Receives to the end. `pauseMs`: now and then it reads nothing for that long. */
export async function receiveStream(
  conn: Deno.TcpConn,
  block: StreamBlock,
  pause: { random: Random; ms: number } = { random: new SeededRandom(0), ms: 0 },
): Promise<ReceivedStream> {
  const stream = new ByteStream(block);
  const buffer = new Uint8Array(100_000);
  let bytes = 0;
  let wrong = 0;
  for (;;) {
    const length = await conn.read(buffer);
    if (length === null) return { bytes, wrong };
    bytes += length;
    wrong += stream.countWrong(buffer.subarray(0, length));
    if (pause.ms > 0 && pause.random.below(4) === 0) {
      await new Promise((resolve) => setTimeout(resolve, pause.random.below(pause.ms)));
    }
  }
}
