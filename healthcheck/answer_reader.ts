/**
 * Reading lines and bytes of an answer in bounded memory.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import { CheckError, type CheckStream } from "./check.ts";

const LF = 10;
const CR = 13;

/** A window over a stream: it holds at most `LIMITS.healthHeaderBytes`. */
export class AnswerReader {
  readonly #stream: CheckStream;
  readonly #window = new Uint8Array(LIMITS.healthHeaderBytes);
  #start = 0;
  #end = 0;

  constructor(stream: CheckStream) {
    this.#stream = stream;
  }

  /** Bytes that arrived and were not taken yet; for telling what came instead of an answer. */
  get pending(): Uint8Array {
    return this.#window.subarray(this.#start, this.#end);
  }

  /**
   * The next line without its end (CR LF, or a bare LF), one character a byte.
   *
   * @throws {CheckError} `closed` when the stream ends first, `protocol` when the line does not fit the window
   */
  async line(): Promise<string> {
    for (;;) {
      const at = this.pending.indexOf(LF);
      if (at >= 0) return this.#takeLine(at);
      if (this.pending.length === this.#window.length) {
        throw new CheckError("protocol", `a line of more than ${this.#window.length} bytes`);
      }
      if (!await this.#fill()) throw new CheckError("closed", "closed in the middle of a line");
    }
  }

  /** Up to `most` bytes, valid until the next call; null at the end of the stream. */
  async some(most: number): Promise<Uint8Array | null> {
    if (this.#start === this.#end && !await this.#fill()) return null;
    const bytes = this.#window.subarray(this.#start, Math.min(this.#end, this.#start + most));
    this.#start += bytes.length;
    return bytes;
  }

  #takeLine(length: number): string {
    const line = this.pending.subarray(0, length);
    this.#start += length + 1;
    const end = line[length - 1] === CR ? length - 1 : length;
    return String.fromCharCode(...line.subarray(0, end));
  }

  async #fill(): Promise<boolean> {
    this.#window.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    const count = await this.#stream.read(this.#window.subarray(this.#end));
    this.#end += count ?? 0;
    return count !== null;
  }
}
