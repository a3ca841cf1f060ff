/**
 * The last things that traffic asked of a director, in a ring of fixed size. One thread writes; any thread that shares the
 * memory reads. A write is a few stores into typed arrays: no allocation, no text.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import type { Family } from "../net/address.ts";
import type { Flow } from "../net/flow.ts";
import type { Verdict } from "./verdict.ts";

/** What was asked. */
export const CALL = { segment: 1, retry: 2, forget: 3, advance: 4 } as const;
export type Call = typeof CALL[keyof typeof CALL];

/** Most failed destinations of one retry that are kept; engines retry once or twice. */
const FAILED_MOST = 3;

const WORD = {
  kind: 0, // call, family, direction, packets: a byte each
  protocol: 1, // protocol, TCP flags: 16 bits each
  client: 2,
  virtual: 6,
  ports: 10,
  mark: 11,
  service: 12,
  bytes: 13,
  destination: 14,
  answer: 15, // port at the destination, action, reason, isNew: 16, 4, 8 and 1 bits
  failed: 16,
} as const;
const WORDS = WORD.failed + FAILED_MOST;
/** Rows of a shared ring that others may not see yet, at most; fewer in a small one. */
const UNSEEN_ROWS = 64;
/** Rows written so far stand in the first word and wrap at 2^32; the second says that some were overwritten, for good. */
const HEADER_BYTES = 64;

/** One row, for the reader. */
export interface FlightRow {
  readonly call: Call;
  readonly atMs: number;
  readonly family: Family;
  readonly protocol: number;
  readonly client: Uint32Array;
  readonly clientPort: number;
  readonly virtual: Uint32Array;
  readonly virtualPort: number;
  readonly mark: number;
  /** Handle that the listener gave, or -1. */
  readonly service: number;
  readonly direction: number;
  readonly flags: number;
  readonly packets: number;
  readonly bytes: number;
  /** Handle of the chosen destination, or -1. */
  readonly destination: number;
  readonly destinationPort: number;
  readonly action: number;
  readonly reason: number;
  readonly isNew: boolean;
  /** Handles. */
  readonly failed: readonly number[];
}

/** A ring of {@linkcode FlightRow}s. */
export class FlightRing {
  readonly buffer: ArrayBufferLike;
  readonly capacity: number;
  readonly #written: Uint32Array;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  /** Rows written, modulo 2^32. */
  #next: number;
  /** How many of them others may not see yet, and how many that may be. */
  #unseen = 0;
  readonly #unseenMost: number;

  constructor(buffer: ArrayBufferLike) {
    this.buffer = buffer;
    this.capacity = Math.floor((buffer.byteLength - HEADER_BYTES) / (WORDS * 4 + 8));
    this.#written = new Uint32Array(buffer, 0, 2);
    this.#times = new Float64Array(buffer, HEADER_BYTES, this.capacity);
    this.#words = new Int32Array(buffer, HEADER_BYTES + this.capacity * 8, this.capacity * WORDS);
    this.#next = this.written;
    this.#unseenMost = buffer instanceof SharedArrayBuffer
      ? Math.min(UNSEEN_ROWS, Math.floor(this.capacity / 4))
      : 0;
  }

  /** @param options `shared`: another thread reads it; `rows`: how many it holds */
  static create(options: { shared?: boolean; rows?: number } = {}): FlightRing {
    const bytes = HEADER_BYTES + (options.rows ?? LIMITS.flightRows) * (WORDS * 4 + 8);
    return new FlightRing(options.shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  }

  /** Rows since the start that everybody sees, those overwritten included. */
  get written(): number {
    return Atomics.load(this.#written, 0);
  }

  /** Nothing was overwritten yet. */
  get isWhole(): boolean {
    return this.#written[1] === 0;
  }

  segment(
    flow: Flow,
    direction: number,
    flags: number,
    bytes: number,
    nowMs: number,
    verdict: Verdict,
  ): void {
    const base = this.#begin(CALL.segment, flow, direction, flags, nowMs);
    this.#words[base + WORD.bytes] = bytes;
    this.#answer(base, verdict);
  }

  retry(flow: Flow, failed: readonly number[], nowMs: number, verdict: Verdict): void {
    const base = this.#begin(CALL.retry, flow, 0, 0, nowMs);
    for (let i = 0; i < FAILED_MOST; i++) this.#words[base + WORD.failed + i] = failed[i] ?? -1;
    this.#answer(base, verdict);
  }

  forget(flow: Flow, nowMs: number): void {
    this.#begin(CALL.forget, flow, 0, 0, nowMs);
    this.#end();
  }

  advance(nowMs: number): void {
    const row = this.#next % this.capacity;
    this.#times[row] = nowMs;
    this.#words[row * WORDS + WORD.kind] = CALL.advance;
    this.#end();
  }

  /** What is held, oldest first. Rows that the writer overtakes meanwhile are left out. */
  rows(): FlightRow[] {
    const end = this.written;
    const start = Math.max(0, end - this.capacity);
    const rows: FlightRow[] = [];
    for (let i = start; i < end; i++) rows.push(this.#row(i % this.capacity));
    const overtaken = Math.max(0, this.written + this.#unseenMost - this.capacity - start);
    return rows.slice(overtaken);
  }

  #begin(call: Call, flow: Flow, direction: number, flags: number, nowMs: number): number {
    const row = this.#next % this.capacity;
    const base = row * WORDS;
    const words = this.#words;
    this.#times[row] = nowMs;
    words[base + WORD.kind] = call | flow.family << 8 | direction << 16 | flow.packets << 24;
    words[base + WORD.protocol] = flow.protocol | flags << 16;
    for (let i = 0; i < 4; i++) {
      words[base + WORD.client + i] = flow.client[i] ?? 0;
      words[base + WORD.virtual + i] = flow.virtual[i] ?? 0;
    }
    words[base + WORD.ports] = flow.clientPort << 16 | flow.virtualPort;
    words[base + WORD.mark] = flow.mark;
    words[base + WORD.service] = flow.service;
    return base;
  }

  #answer(base: number, { destination, destinationPort, action, reason, isNew }: Verdict): void {
    this.#words[base + WORD.destination] = destination;
    this.#words[base + WORD.answer] = destinationPort << 16 | action << 12 | reason << 4 | (isNew ? 1 : 0);
    this.#end();
  }

  #end(): void {
    if (this.#next === this.capacity) this.#written[1] = 1;
    this.#next = (this.#next + 1) >>> 0;
    if (++this.#unseen > this.#unseenMost) this.publish();
  }

  /**
   * Lets other threads see what was written; they see some of it by themselves, and all that was written to memory that is not
   * shared. Not with each row: a store that orders waits until the row has reached its memory, 0.6 us a connection.
   */
  publish(): void {
    if (this.#unseen === 0) return;
    this.#unseen = 0;
    Atomics.store(this.#written, 0, this.#next);
  }

  #row(row: number): FlightRow {
    const words = this.#words.slice(row * WORDS, (row + 1) * WORDS);
    const word = (index: number) => words[index] ?? 0;
    const address = (at: number) => Uint32Array.from(words.subarray(at, at + 4), (it) => it >>> 0);
    const answer = word(WORD.answer);
    return {
      call: (word(WORD.kind) & 0xff) as Call,
      atMs: this.#times[row] ?? 0,
      family: (word(WORD.kind) >>> 8 & 0xff) === 6 ? 6 : 4,
      direction: word(WORD.kind) >>> 16 & 0xff,
      packets: word(WORD.kind) >>> 24,
      protocol: word(WORD.protocol) & 0xffff,
      flags: word(WORD.protocol) >>> 16,
      client: address(WORD.client),
      clientPort: word(WORD.ports) >>> 16,
      virtual: address(WORD.virtual),
      virtualPort: word(WORD.ports) & 0xffff,
      mark: word(WORD.mark) >>> 0,
      service: word(WORD.service),
      bytes: word(WORD.bytes),
      destination: word(WORD.destination),
      destinationPort: answer >>> 16,
      action: answer >>> 12 & 0xf,
      reason: answer >>> 4 & 0xff,
      isNew: (answer & 1) === 1,
      failed: [...words.subarray(WORD.failed)].filter((it) => it >= 0),
    };
  }
}
