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

const NOTHING = new Uint8Array(0);

/** What a half tells its connection and asks of it. */
export interface HalfOwner {
  readonly flow: Flow;
  readonly traffic: TrafficEntrance;
  readonly clock: Clock;
}

/**
 * At most one chunk waits for a slow target: then the source is not read on.
 *
 * With one exception. Deno 2.9 looks at a socket that is not being read while a write to it waits, and takes an end of
 * stream that it finds there for a broken connection (EPIPE), although the other way is still open. So a source that has
 * writes of its own waiting is read on, up to `LIMITS.relayCrossedBytes`, until more than its end is known to be unread.
 */
export class TcpHalf {
  /** Payload bytes passed on. */
  bytes = 0;
  /** Time of the last of them. */
  lastMs: number;
  readonly #owner: HalfOwner;
  readonly #direction: Direction;
  readonly #flushed: (error?: Error | null) => void;
  #opposite: TcpHalf | undefined;
  #source: Socket | undefined;
  #target: Socket | undefined;
  /** Nothing may be written now: no target yet, or it has not taken all. */
  #blocked = true;
  /** The source is not being read. */
  #stopped = false;
  /** The last read filled its buffer, so that bytes are waiting behind it. */
  #moreUnread = false;
  #sourceEnded = false;
  #done = false;
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

  /** Whether chunks wait here, or in a write to the target. */
  get isHolding(): boolean {
    return this.#blocked;
  }

  /** Whether the end of the stream was passed on. */
  get done(): boolean {
    return this.#done;
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
    if (this.#blocked) {
      this.#ahead.push(chunk);
      this.#aheadBytes += chunk.length;
    } else {
      this.#pass(chunk);
      if (!this.#blocked) return true;
    }
    this.#moreUnread = chunk.length >= LIMITS.relayBufferBytes;
    this.#stopped = !this.#mustReadOn();
    return !this.#stopped;
  }

  /** The source sends no more. */
  sourceEnded(): void {
    this.#sourceEnded = true;
    this.#stopped = false;
    if (!this.#blocked) this.#finish();
  }

  #pass(chunk: Uint8Array): void {
    const { flow, traffic, clock } = this.#owner;
    const target = this.#target;
    if (target === undefined) return;
    target.write(chunk);
    // A write that the kernel took whole leaves nothing behind.
    if (target.writableLength > 0) this.#block(target);
    this.bytes += chunk.length;
    this.lastMs = clock.nowMs();
    traffic.segment(flow, this.#direction, TCP_FLAG.ack, chunk.length, this.lastMs);
  }

  /** An empty write tells when the one before it is through; asking for each write's end would cost every chunk. */
  #block(target: Socket): void {
    this.#blocked = true;
    target.write(NOTHING, this.#flushed);
    this.#opposite?.sourceBlocked();
  }

  #onFlushed(): void {
    this.#blocked = false;
    while (this.#ahead.length > 0) {
      const chunk = this.#ahead.shift() ?? NOTHING;
      this.#aheadBytes -= chunk.length;
      this.#pass(chunk);
      if (this.#blocked) return;
    }
    if (this.#sourceEnded) this.#finish();
    else if (this.#stopped) this.#readOn();
    this.#opposite?.sourceFree();
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    const { flow, traffic, clock } = this.#owner;
    // A target that has ended its own way is closed at once, which sends the same FIN and saves a shutdown.
    if (this.#opposite?.done === true) this.#target?.destroy();
    else this.#target?.end();
    traffic.segment(flow, this.#direction, TCP_FLAG.fin, 0, clock.nowMs());
  }

  #mustReadOn(): boolean {
    if (this.#target === undefined) return this.#aheadBytes < LIMITS.relayBufferBytes;
    return this.#opposite?.isCrossed === true && !this.#moreUnread &&
      this.#aheadBytes < LIMITS.relayCrossedBytes;
  }

  #readOn(): void {
    this.#stopped = false;
    this.#source?.resume();
  }

  /** Writes to this half's target wait; asked by the half whose source that target is. */
  get isCrossed(): boolean {
    return this.#blocked && this.#target !== undefined;
  }

  /** Writes to this half's source wait now. */
  sourceBlocked(): void {
    if (this.#stopped && this.#mustReadOn()) this.#readOn();
  }

  /** Writes to this half's source wait no more. */
  sourceFree(): void {
    if (!this.#blocked || this.#stopped || this.#sourceEnded || this.#target === undefined) return;
    this.#stopped = true;
    this.#source?.pause();
  }
}
