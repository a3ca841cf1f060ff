/**
 * One direction of a TCP connection: what the source sends is written to the target, no faster than it takes it.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import type { TrafficEntrance } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { type Direction, type Flow, TCP_FLAG } from "../../net/flow.ts";
import type { ReadSink } from "./socket_reader.ts";

const NOTHING = new Uint8Array(0);

/** The connection that a half belongs to. */
export interface HalfOwner {
  readonly flow: Flow;
  readonly traffic: TrafficEntrance;
  readonly clock: Clock;
}

/** At most one chunk waits for a slow target: then the source is not read on. */
export class TcpHalf implements ReadSink {
  /** Payload bytes passed on. */
  bytes = 0;
  /** Time of the last of them. */
  lastMs: number;
  readonly #owner: HalfOwner;
  readonly #direction: Direction;
  readonly #flushed: (error?: Error | null) => void;
  #source: Socket | undefined;
  #target: Socket | undefined;
  #opposite: TcpHalf | undefined;
  /** Nothing may be written now: no target yet, or it has not taken all. */
  #isBlocked = true;
  /** The source is not being read. */
  #isStopped = false;
  #sourceEnded = false;
  #isDone = false;
  /** Came while blocked: before there was a target, or because a stopped source had been read once more. */
  #ahead: Uint8Array[] = [];
  #aheadBytes = 0;

  constructor(owner: HalfOwner, direction: Direction, startMs: number) {
    this.#owner = owner;
    this.#direction = direction;
    this.lastMs = startMs;
    this.#flushed = (error) => {
      if (!error) this.#onFlushed();
    };
  }

  /** Whether a write to the target still needs the memory of its chunk. */
  get isHolding(): boolean {
    return this.#isBlocked && this.#target !== undefined;
  }

  /** Whether the end of the stream was passed on. */
  get isDone(): boolean {
    return this.#isDone;
  }

  setSource(source: Socket): void {
    this.#source = source;
  }

  /** Opens the way: what came before is passed on now. */
  setTarget(target: Socket, opposite: TcpHalf): void {
    this.#target = target;
    this.#opposite = opposite;
    this.#onFlushed();
  }

  /**
   * Takes what the source sent. While `isHolding` afterwards, the chunk's memory is in use.
   *
   * @returns whether to read on; if not, this half resumes the source itself
   */
  receive(chunk: Uint8Array): boolean {
    if (this.#isBlocked) {
      this.#ahead.push(this.#target === undefined ? chunk.slice() : chunk);
      this.#aheadBytes += chunk.length;
    } else {
      this.#pass(chunk);
      if (!this.#isBlocked) return true;
    }
    // Before there is a target the source is read on for a while, to learn that it went away meanwhile.
    this.#isStopped = this.#target !== undefined || this.#aheadBytes >= LIMITS.relayBufferBytes;
    return !this.#isStopped;
  }

  /** The source sends no more. */
  sourceEnded(): void {
    this.#sourceEnded = true;
    this.#isStopped = false;
    if (!this.#isBlocked) this.#finish();
  }

  #pass(chunk: Uint8Array): void {
    const target = this.#target;
    if (target === undefined) return;
    target.write(chunk);
    // A write that the kernel took whole leaves nothing behind.
    if (target.writableLength > 0) {
      this.#isBlocked = true;
      // An empty write tells when the one before it is through; asking for each write's end would cost every chunk.
      target.write(NOTHING, this.#flushed);
    }
    const { flow, traffic, clock } = this.#owner;
    this.bytes += chunk.length;
    this.lastMs = clock.nowMs();
    traffic.segment(flow, this.#direction, TCP_FLAG.ack, chunk.length, this.lastMs);
  }

  #onFlushed(): void {
    this.#isBlocked = false;
    while (this.#ahead.length > 0) {
      const chunk = this.#ahead.shift() ?? NOTHING;
      this.#aheadBytes -= chunk.length;
      this.#pass(chunk);
      if (this.#isBlocked) return;
    }
    if (this.#sourceEnded) {
      this.#finish();
    } else if (this.#isStopped) {
      this.#isStopped = false;
      this.#source?.resume();
    }
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    // A target that has ended its own way is closed at once, which sends the same FIN and saves a shutdown.
    if (this.#opposite?.isDone === true) this.#target?.destroy();
    else this.#target?.end();
    const { flow, traffic, clock } = this.#owner;
    traffic.segment(flow, this.#direction, TCP_FLAG.fin, 0, clock.nowMs());
  }
}
