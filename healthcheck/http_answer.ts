/**
 * The answer to an HTTP/1.1 request that asked for `Connection: close` (RFC 9112), as far as a health check reads it.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import type { AnswerReader } from "./answer_reader.ts";
import { CheckError } from "./check.ts";
import { excerpt } from "./excerpt.ts";

/** Status line and header. */
export interface HttpHead {
  readonly status: number;
  /** Reason phrase, possibly empty. */
  readonly phrase: string;
  /** By lower-case name; of a repeated field the last one. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Reads heads until a final one: interim answers (1xx) are skipped. Bounded by `LIMITS.healthHeaderBytes` over all. */
export async function readHead(reader: AnswerReader): Promise<HttpHead> {
  const budget = new HeaderBudget(reader);
  for (;;) {
    const head = await readOneHead(budget);
    // 101 is final: nobody asked to switch protocols.
    if (head.status >= 200 || head.status === 101) return head;
  }
}

/**
 * Reads the body: at most `LIMITS.healthAnswerBytes`, the rest is left unread.
 *
 * @throws {CheckError} `closed` when the body ends before its announced end, `protocol` for a broken chunk
 */
export async function readBody(reader: AnswerReader, head: HttpHead, method: string): Promise<Uint8Array> {
  const body = new BodyBuffer();
  if (method === "HEAD" || head.status === 204 || head.status === 304) return body.bytes;
  if (/\bchunked\s*$/i.test(head.fields.get("transfer-encoding") ?? "")) await readChunks(reader, body);
  else await readPlain(reader, body, contentLength(head));
  return body.bytes;
}

async function readOneHead(budget: HeaderBudget): Promise<HttpHead> {
  const statusLine = await budget.statusLine();
  const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(statusLine);
  if (match === null) throw new CheckError("protocol", `not an HTTP/1.1 status line: ${excerpt(statusLine)}`);
  const fields = new Map<string, string>();
  for (;;) {
    const line = await budget.line();
    if (line === "") break;
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(match[1]), phrase: match[2] ?? "", fields };
}

async function readChunks(reader: AnswerReader, body: BodyBuffer): Promise<void> {
  for (;;) {
    const line = await reader.line();
    const match = /^([0-9a-fA-F]{1,12})\s*(?:;.*)?$/.exec(line);
    if (match === null) throw new CheckError("protocol", `not a chunk size: ${excerpt(line)}`);
    const size = parseInt(match[1] ?? "", 16);
    if (size === 0) return;
    await readPlain(reader, body, size);
    if (body.full) return;
    if (await reader.line() !== "") throw new CheckError("protocol", "a chunk is longer than its size");
  }
}

/** Reads `length` bytes, or until the connection closes when `length` is undefined; stops when the buffer is full. */
async function readPlain(reader: AnswerReader, body: BodyBuffer, length: number | undefined): Promise<void> {
  for (let left = length ?? Infinity; left > 0 && !body.full;) {
    const bytes = await reader.some(left);
    if (bytes === null) {
      if (length === undefined) return;
      throw new CheckError("closed", `closed ${left} bytes before the end of the body`);
    }
    body.append(bytes);
    left -= bytes.length;
  }
}

function contentLength(head: HttpHead): number | undefined {
  const text = head.fields.get("content-length");
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new CheckError("protocol", `not a content length: ${excerpt(text)}`);
  return Number(text);
}

/** Counts what the header lines take together, so that endless short ones end too. */
class HeaderBudget {
  readonly #reader: AnswerReader;
  #left: number = LIMITS.healthHeaderBytes;

  constructor(reader: AnswerReader) {
    this.#reader = reader;
  }

  /** A first line; says what came instead when the connection ended. */
  async statusLine(): Promise<string> {
    try {
      return await this.line();
    } catch (error) {
      if (!(error instanceof CheckError) || error.reason !== "closed") throw error;
      const { pending } = this.#reader;
      if (pending.length === 0) throw new CheckError("closed", "closed without an answer");
      throw new CheckError("protocol", `closed after ${excerpt(pending)}, which is not HTTP`);
    }
  }

  async line(): Promise<string> {
    const line = await this.#reader.line();
    this.#left -= line.length + 2;
    if (this.#left < 0) {
      throw new CheckError("protocol", `a header of more than ${LIMITS.healthHeaderBytes} bytes`);
    }
    return line;
  }
}

class BodyBuffer {
  readonly #bytes: Uint8Array = new Uint8Array(LIMITS.healthAnswerBytes);
  #length = 0;

  get full(): boolean {
    return this.#length === this.#bytes.length;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const kept = bytes.subarray(0, this.#bytes.length - this.#length);
    this.#bytes.set(kept, this.#length);
    this.#length += kept.length;
  }
}
