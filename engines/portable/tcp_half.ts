/**
 * One direction of a TCP connection: what the source sends is written to the target, no faster than it takes it.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { TrafficEntrance } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { type Direction, type Flow, TCP_FLAG } from "../../net/flow.ts";
import type { SocketOwner, TcpSocket } from "./tcp_socket.ts";

/** The connection that a half belongs to. */
export interface HalfOwner {
  readonly flow: Flow;
  readonly traffic: TrafficEntrance;
  readonly clock: Clock;
  /** The socket that a half reads from broke off. */
  sideFailed(direction: Direction, code: string): void;
  /** That socket has given its descriptor back. */
  socketClosed(): void;
  /** Both ends of the stream were passed on. */
  bothDone(nowMs: number): void;
}

/** Owner of its source. At most one chunk waits for a slow target: then the source is not read on. */
export class TcpHalf implements SocketOwner {
  /** Payload bytes passed on. */
  bytes = 0;
  /** Time of the last of them. */
  lastMs: number;
  readonly #owner: HalfOwner;
  readonly #direction: Direction;
  #source: TcpSocket | undefined;
  #target: TcpSocket | undefined;
  #opposite: TcpHalf | undefined;
  /** Nothing may be written now: no target yet, or it has not taken all. */
  #isBlocked = true;
  /** The source is not being read. */
  #isStopped = false;
  #sourceEnded = false;
  #isDone = false;
  /** Came while blocked: before there was a target, or because a stopped source had been read once more. */
  #ahead: Uint8Array[] | undefined;
  #aheadBytes = 0;

  constructor(owner: HalfOwner, direction: Direction, startMs: number) {
    this.#owner = owner;
    this.#direction = direction;
    this.lastMs = startMs;
  }

  /** Whether a write to the target still needs the memory of its chunk. */
  get isHolding(): boolean {
    return this.#isBlocked && this.#target !== undefined;
  }

  /** Whether the end of the stream was passed on. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Reads the source from now on; what it hears of its own writes is the opposite's. */
  setSource(source: TcpSocket, opposite: TcpHalf): void {
    this.#source = source;
    this.#opposite = opposite;
    source.owner = this;
  }

  /**
   * Opens the way: what came before is passed on now.
   *
   * @param preface goes in front, and is nobody's payload
   */
  setTarget(target: TcpSocket, preface?: Uint8Array): void {
    this.#target = target;
    if (preface === undefined || target.write(preface)) this.targetFlushed();
  }

  /**
   * Takes what the source sent. While `isHolding` afterwards, the chunk's memory is in use.
   *
   * @returns whether to read on; if not, this half resumes the source itself
   */
  receive(chunk: Uint8Array): boolean {
    if (this.#isBlocked) {
      (this.#ahead ??= []).push(this.#target === undefined ? chunk.slice() : chunk);
      this.#aheadBytes += chunk.length;
    } else {
      this.#pass(chunk);
      if (!this.#isBlocked) return true;
    }
    // Before there is a target the source is read on for a while, to learn that it went away meanwhile.
    this.#isStopped = this.#target !== undefined || this.#aheadBytes >= LIMITS.relayBufferBytes;
    return !this.#isStopped;
  }

  ended(): void {
    this.#sourceEnded = true;
    this.#isStopped = false;
    if (!this.#isBlocked) this.#finish();
  }

  flushed(): void {
    this.#opposite?.targetFlushed();
  }

  failed(code: string): void {
    this.#owner.sideFailed(this.#direction, code);
  }

  closed(): void {
    this.#owner.socketClosed();
  }

  #pass(chunk: Uint8Array): void {
    if (this.#target?.write(chunk) === false) this.#isBlocked = true;
    const { flow, traffic, clock } = this.#owner;
    this.bytes += chunk.length;
    this.lastMs = clock.nowMs();
    traffic.segment(flow, this.#direction, TCP_FLAG.ack, chunk.length, this.lastMs);
  }

  /** The target took all that it was given. */
  targetFlushed(): void {
    this.#isBlocked = false;
    for (let chunk = this.#ahead?.shift(); chunk !== undefined; chunk = this.#ahead?.shift()) {
      this.#aheadBytes -= chunk.length;
      this.#pass(chunk);
      if (this.#isBlocked) return;
    }
    if (this.#sourceEnded) {
      this.#finish();
    } else if (this.#isStopped) {
      this.#isStopped = false;
      this.#source?.readStart();
    }
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    const { flow, traffic, clock } = this.#owner;
    const nowMs = clock.nowMs();
    traffic.segment(flow, this.#direction, TCP_FLAG.fin, 0, nowMs);
    // Once the other way is done too, both sockets close, which sends the same FIN and saves a shutdown.
    if (this.#opposite?.isDone === true) this.#owner.bothDone(nowMs);
    else this.#target?.end();
  }
}
