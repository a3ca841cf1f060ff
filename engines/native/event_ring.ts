/**
 * Events on their way from a worker to the main thread: fixed records in shared memory. A message for each ended connection
 * would cost the worker more than the connection's own system calls.
 *
 * @module
 */
import { END_REASONS, type EndedConnection, type EndReason } from "../engine.ts";
import { endedReport } from "./ended_report.ts";
import { type EndedFacts, EventRecord } from "./event_record.ts";

/** Records that may wait: at 30,000 connections/s the main thread may be away for a quarter of a second. */
const RECORDS = 8_192;
/** 96 bytes: words first, three floats at the end. */
const RECORD_WORDS = 24;
/** Records whose room the reader gives back at once: each time costs a store that orders, 20 ns. */
const ROOM_AT_ONCE = 256;
/** Destinations whose last success is known: a power of two. Others that share a place are told of more often. */
const SUCCESS_PLACES = 256;
const HEADER_WORDS = 16;
const HEADER = { written: 0, read: 1, lost: 2, announced: 3 } as const;
const WORD = {
  kind: 0,
  service: 1,
  reason: 2,
  destination: 3,
  destinationPort: 4,
  family: 5,
  client: 6,
  clientPort: 10,
  destinationFamily: 11,
  destinationAddress: 12,
  count: 16,
} as const;
const FLOAT = { durationMs: 9, bytesIn: 10, bytesOut: 11 } as const;

export const EVENT = { ended: 1, connectFailed: 2, connectSucceeded: 3, dropped: 4 } as const;

const REASON_NUMBER = new Map<EndReason, number>(END_REASONS.map((reason, i) => [reason, i]));

export function createEventRing(): SharedArrayBuffer {
  return new SharedArrayBuffer((HEADER_WORDS + RECORDS * RECORD_WORDS) * 4);
}

/** The worker's end. Allocates nothing, and never waits: what finds no room is counted as lost. */
export class EventWriter {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  /** Records written, and how many of them the reader may see. */
  #written = 0;
  #published = 0;
  /** How far the reader was when this was asked last. */
  #read = 0;
  #isPressing = false;
  /** Destinations, and the period in which a connect to each succeeded last. A period ends with an announcement or a failure. */
  readonly #succeeded = new Int32Array(SUCCESS_PLACES);
  readonly #succeededIn = new Int32Array(SUCCESS_PLACES);
  #period = 1;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#floats = new Float64Array(buffer);
  }

  /** Whether something waits that nobody was told of. */
  get hasNews(): boolean {
    const words = this.#words;
    // The reader's place without `Atomics`, since it is asked for in every turn: see EngineMemory.
    return this.#written !== words[HEADER.read] && Atomics.load(words, HEADER.announced) === 0;
  }

  /**
   * Lets the reader see what was written. Only a connect that succeeded waits for it, until the end of the turn: each store that
   * orders costs 20 ns. Whoever sees that a connection is gone has to see its end, so that one does not wait.
   */
  publish(): void {
    if (this.#published === this.#written) return;
    this.#published = this.#written;
    // A store that orders: whoever sees the number sees the record.
    Atomics.store(this.#words, HEADER.written, this.#written);
  }

  /** Whether a failed connect, by which health is judged, is among what nobody was told of. */
  get isPressing(): boolean {
    return this.#isPressing;
  }

  /** The main thread is being told. */
  announced(): void {
    this.#isPressing = false;
    this.#period = (this.#period + 1) | 0;
    Atomics.store(this.#words, HEADER.announced, 1);
  }

  /** Half of the ring is full. */
  get isUrgent(): boolean {
    return this.#waiting() > RECORDS / 2;
  }

  ended(service: number, reason: EndReason, facts: EndedFacts): void {
    const base = this.#begin(EVENT.ended, service, facts.destination, reason);
    if (base < 0) return;
    const words = this.#words;
    words[base + WORD.destinationPort] = facts.destinationPort;
    words[base + WORD.family] = facts.flow.family;
    words[base + WORD.destinationFamily] = facts.destinationFamily;
    for (let i = 0; i < 4; i++) {
      words[base + WORD.client + i] = facts.flow.client[i] ?? 0;
      words[base + WORD.destinationAddress + i] = facts.destinationAddress[i] ?? 0;
    }
    words[base + WORD.clientPort] = facts.flow.clientPort;
    const floats = base / 2;
    this.#floats[floats + FLOAT.durationMs] = facts.durationMs;
    this.#floats[floats + FLOAT.bytesIn] = facts.bytesIn;
    this.#floats[floats + FLOAT.bytesOut] = facts.bytesOut;
    this.#commit();
  }

  dropped(service: number, reason: EndReason, count = 1): void {
    const base = this.#begin(EVENT.dropped, service, 0, reason);
    if (base < 0) return;
    this.#words[base + WORD.count] = count;
    this.#commit();
  }

  connectFailed(destination: number, reason: EndReason): void {
    if (this.#begin(EVENT.connectFailed, 0, destination, reason) >= 0) this.#commit();
    this.#isPressing = true;
    this.#period = (this.#period + 1) | 0;
  }

  /** Ends the destination's row of failures: once a period says all of it. */
  connectSucceeded(destination: number): void {
    const place = destination & (SUCCESS_PLACES - 1);
    if (this.#succeeded[place] === destination && this.#succeededIn[place] === this.#period) return;
    this.#succeeded[place] = destination;
    this.#succeededIn[place] = this.#period;
    if (this.#begin(EVENT.connectSucceeded, 0, destination, "done") < 0) return;
    this.#written = (this.#written + 1) | 0;
  }

  #waiting(): number {
    this.#read = Atomics.load(this.#words, HEADER.read);
    return (this.#written - this.#read) | 0;
  }

  #begin(kind: number, service: number, destination: number, reason: EndReason): number {
    const words = this.#words;
    if (((this.#written - this.#read) | 0) >= RECORDS && this.#waiting() >= RECORDS) {
      Atomics.add(words, HEADER.lost, 1);
      return -1;
    }
    const base = HEADER_WORDS + (this.#written & (RECORDS - 1)) * RECORD_WORDS;
    words[base + WORD.kind] = kind;
    words[base + WORD.service] = service;
    words[base + WORD.destination] = destination;
    words[base + WORD.reason] = REASON_NUMBER.get(reason) ?? 0;
    return base;
  }

  #commit(): void {
    this.#written = (this.#written + 1) | 0;
    this.publish();
  }
}

/** Takes events: the record is refilled for each, `ended` shows it as an ended connection. */
export type TakeEvent = (record: EventRecord, ended: EndedConnection) => void;

/** The main thread's end. */
export class EventReader {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #record = new EventRecord();
  readonly #ended = endedReport(this.#record);
  #read = 0;
  #isDraining = false;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#floats = new Float64Array(buffer);
  }

  /** Hands over all that waits; the record is refilled for each. */
  drain(take: TakeEvent): void {
    // Whoever takes an event may ask for something that drains.
    if (this.#isDraining) return;
    this.#isDraining = true;
    Atomics.store(this.#words, HEADER.announced, 0);
    try {
      for (let left = this.#waiting; left > 0; left = this.#waiting) {
        this.#takeSome(Math.min(left, ROOM_AT_ONCE), take);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  /** Takes so many, and gives their room back; also that of one which could not be taken: it is not handed over again. */
  #takeSome(count: number, take: TakeEvent): void {
    try {
      for (const end = (this.#read + count) | 0; this.#read !== end;) {
        this.#fill(HEADER_WORDS + (this.#read & (RECORDS - 1)) * RECORD_WORDS);
        this.#read = (this.#read + 1) | 0;
        take(this.#record, this.#ended);
      }
    } finally {
      Atomics.store(this.#words, HEADER.read, this.#read);
    }
  }

  get #waiting(): number {
    return (Atomics.load(this.#words, HEADER.written) - this.#read) | 0;
  }

  /** How many events found no room since this was asked last. */
  takeLost(): number {
    return Atomics.exchange(this.#words, HEADER.lost, 0);
  }

  #fill(base: number): void {
    const words = this.#words;
    const record = this.#record;
    record.kind = words[base + WORD.kind] ?? 0;
    record.service = words[base + WORD.service] ?? 0;
    record.reason = END_REASONS[words[base + WORD.reason] ?? 0] ?? "error";
    record.destination = words[base + WORD.destination] ?? 0;
    record.destinationPort = words[base + WORD.destinationPort] ?? 0;
    record.family = words[base + WORD.family] === 6 ? 6 : 4;
    record.destinationFamily = words[base + WORD.destinationFamily] ?? 0;
    for (let i = 0; i < 4; i++) {
      record.client[i] = words[base + WORD.client + i] ?? 0;
      record.destinationAddress[i] = words[base + WORD.destinationAddress + i] ?? 0;
    }
    record.clientPort = words[base + WORD.clientPort] ?? 0;
    record.count = words[base + WORD.count] ?? 0;
    const floats = base / 2;
    record.durationMs = this.#floats[floats + FLOAT.durationMs] ?? 0;
    record.bytesIn = this.#floats[floats + FLOAT.bytesIn] ?? 0;
    record.bytesOut = this.#floats[floats + FLOAT.bytesOut] ?? 0;
  }
}
