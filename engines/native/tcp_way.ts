/**
 * One direction of a proxied connection: what its source sends is written to its target, no faster than that takes it.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import { type Direction, type Flow, TCP_FLAG } from "../../net/flow.ts";
import { ERRNO } from "../../sys/errno.ts";
import { type Address, addressBehind } from "../../sys/libc.ts";
import { SPLICE } from "../../sys/socket_numbers.ts";
import type { Pipe } from "./pipes.ts";
import type { Unfinished } from "./reactor.ts";
import type { Buffer } from "./side_buffers.ts";
import type { TcpSide } from "./tcp_side.ts";
import type { WorkerParts } from "./worker_parts.ts";

/** Reads of one turn: 1 MiB by copies, then the other connections' turn. */
const READS_PER_TURN = 16;
/** Pipes full of one turn, while the source has as much: 8 MiB, some 2 ms, then the other connections' turn. */
const PIPES_PER_TURN = 8;
/** A turn that moves less is no bulk ... */
const BULK_TURN_BYTES = 16_384;
/** ... and so many of them in a row say that the stream is none any more. */
const SMALL_TURNS = 8;
const SPLICE_FLAGS = SPLICE.move | SPLICE.nonBlocking;

/** How moving stopped. */
const MOVED = {
  /** The source has no more for now, or the target takes no more. */
  all: 0,
  /** There is more to do. */
  some: 1,
  /** The source is at its end and everything is passed on. */
  ended: 2,
  sourceBroke: 3,
  targetBroke: 4,
} as const;
type Moved = typeof MOVED[keyof typeof MOVED];

/** The connection that a way belongs to. */
export interface WayOwner {
  readonly flow: Flow;
  /** Whether both sockets are there and bytes may flow. */
  readonly isFlowing: boolean;
  /** The end of the stream was passed on. */
  wayDone(way: TcpWay): void;
  /** A socket broke off with this error number. What it sent before may still wait to be read, if it was a write that failed. */
  sideBroke(side: TcpSide, errno: number): void;
  /** The director was told of bytes; their packets are still to be counted. */
  bytesTold(): void;
}

/** Used again for the next connection. */
export class TcpWay implements Unfinished {
  readonly direction: Direction;
  /** Payload bytes passed on. */
  bytes = 0;
  /** Time of the last of them. */
  lastMs = 0;
  /** The end of the stream was passed on. */
  isDone = false;
  /** The kernel holds the last bytes back until the target's own stream is ended. */
  isHeldBack = false;
  readonly source: TcpSide;
  readonly target: TcpSide;
  readonly #parts: WorkerParts;
  readonly #owner: WayOwner;
  /** What the target has not taken yet. */
  #kept: Buffer | undefined;
  #keptFrom = 0;
  #keptTo = 0;
  /** A pipe with bytes in it, while the stream is bulk. */
  #pipe: Pipe | undefined;
  #sourceEnded = false;
  /** Bytes moved since the stream was no bulk, and turns in a row that moved few. */
  #run = 0;
  #smallTurns = 0;
  #isQueued = false;
  /** Bytes that the director has not been told of, and whether it has to hear of this stream. */
  #uncounted = 0;
  #isUntold = false;
  /** Waits in the worker's list for the next telling. */
  #isListed = false;
  #error = 0;

  constructor(parts: WorkerParts, owner: WayOwner, direction: Direction, source: TcpSide, target: TcpSide) {
    this.#parts = parts;
    this.#owner = owner;
    this.direction = direction;
    this.source = source;
    this.target = target;
  }

  begin(nowMs: number): void {
    this.bytes = 0;
    this.lastMs = nowMs;
    this.isDone = false;
    this.isHeldBack = false;
    this.#sourceEnded = false;
    this.#run = 0;
    this.#smallTurns = 0;
    this.#uncounted = 0;
    this.#isUntold = false;
  }

  /** Gives back what it holds. */
  end(): void {
    if (this.#kept !== undefined) this.#parts.buffers.give(this.#kept);
    this.#kept = undefined;
    if (this.#pipe !== undefined) this.#parts.pipes.give(this.#pipe);
    this.#pipe = undefined;
  }

  /** Payload that was read before there was a target, and goes before all others. */
  keepPayload(bytes: Uint8Array): void {
    this.keep(bytes);
    this.bytes += bytes.length;
    this.#count(bytes.length);
  }

  /** Bytes to be sent first: a PROXY header. */
  keep(bytes: Uint8Array): void {
    const kept = this.#kept ??= this.#emptyBuffer();
    kept.bytes.set(bytes, this.#keptTo);
    this.#keptTo += bytes.length;
  }

  #emptyBuffer(): Buffer {
    this.#keptFrom = 0;
    this.#keptTo = 0;
    return this.#parts.buffers.take();
  }

  /** Bytes wait for the target to take more. */
  get isWaiting(): boolean {
    return this.#kept !== undefined || this.#pipe !== undefined;
  }

  goOn(): void {
    this.#isQueued = false;
    if (this.#owner.isFlowing && !this.isDone) this.pump();
  }

  /** Moves what can be moved now. */
  pump(): void {
    const { bytes } = this;
    const outcome = this.#move();
    const moved = this.bytes - bytes;
    if (moved > 0) this.#count(moved);
    switch (outcome) {
      case MOVED.some:
        return this.#queue();
      case MOVED.ended:
        return this.#finish();
      case MOVED.sourceBroke:
        return this.#owner.sideBroke(this.source, this.#error);
      case MOVED.targetBroke:
        return this.#owner.sideBroke(this.target, this.#error);
    }
  }

  #count(moved: number): void {
    this.#uncounted += moved;
    this.#noteProgress();
    if (moved >= BULK_TURN_BYTES) {
      this.#run += moved;
      this.#smallTurns = 0;
    } else if (this.#run < LIMITS.bulkBytes || ++this.#smallTurns >= SMALL_TURNS) {
      this.#run = 0;
      this.#smallTurns = 0;
    }
  }

  /** The stream is not idle; that its target takes what was read long ago says so too. */
  #noteProgress(): void {
    const { clock, uncounted } = this.#parts;
    this.lastMs = clock.nowMs;
    this.#isUntold = true;
    if (clock.isTold) this.tellCount();
    else if (!this.#isListed) {
      this.#isListed = true;
      uncounted.push(this);
    }
  }

  /** Tells the director what has been moved since it was told last: not for each chunk, which would cost more than a copy. */
  tellCount(): void {
    this.#isListed = false;
    if (!this.#isUntold) return;
    const { traffic, clock } = this.#parts;
    traffic.segment(this.#owner.flow, this.direction, TCP_FLAG.ack, this.#takeCount(), clock.nowMs);
    this.#owner.bytesTold();
  }

  #takeCount(): number {
    const bytes = this.#uncounted;
    this.#uncounted = 0;
    this.#isUntold = false;
    return bytes;
  }

  #queue(): void {
    if (!this.#isQueued) this.#parts.reactor.again(this);
    this.#isQueued = true;
  }

  #finish(): void {
    if (this.isDone) return;
    this.isDone = true;
    const { traffic, clock } = this.#parts;
    traffic.segment(this.#owner.flow, this.direction, TCP_FLAG.fin, this.#takeCount(), clock.nowMs);
    this.#owner.wayDone(this);
  }

  #move(): Moved {
    if (this.#kept !== undefined) {
      const outcome = this.#writeKept(this.#kept);
      if (outcome !== MOVED.some) return outcome;
    }
    if (this.#pipe !== undefined) {
      const outcome = this.#emptyPipe(this.#pipe);
      if (outcome !== MOVED.some) return outcome;
    }
    if (this.#sourceEnded) return MOVED.ended;
    if (!this.source.isReadable) return MOVED.all;
    // A splice goes no farther than urgent data, and says that there is nothing; only a read steps over it.
    return this.#run < LIMITS.bulkBytes || this.source.isDivided ? this.#copy() : this.#splice();
  }

  /** `some`: nothing is kept any more. */
  #writeKept(kept: Buffer): Moved {
    const from = this.#keptFrom;
    const sent = this.#send(addressBehind(kept.address, from), this.#keptTo - from);
    if (sent < 0) return MOVED.targetBroke;
    if (sent > 0) this.#noteProgress();
    this.#keptFrom = from + sent;
    if (this.#keptFrom < this.#keptTo) return this.#waitForTarget();
    this.#kept = undefined;
    this.#parts.buffers.give(kept);
    return MOVED.some;
  }

  /** How many bytes the target took; below 0 when it broke off. */
  #send(address: Address, length: number, isLast = false): number {
    const { target } = this;
    const { sockets } = this.#parts;
    // Nothing can be held back behind a first write, and short connections write once.
    if (target.writes++ === 1) sockets.setNoDelay(target.descriptor);
    const sent = isLast
      ? sockets.sendBeforeEnd(target.descriptor, address, length)
      : sockets.send(target.descriptor, address, length);
    if (sent >= 0) return sent;
    if (sent === -ERRNO.EAGAIN || sent === -ERRNO.EINTR) return 0;
    this.#error = -sent;
    return -1;
  }

  #waitForTarget(): Moved {
    this.target.isWritable = false;
    this.target.watchWritable();
    return MOVED.all;
  }

  #copy(): Moved {
    const { sockets, buffers } = this.#parts;
    const { source } = this;
    const { bytes, address } = buffers.received;
    for (let reads = 0; reads < READS_PER_TURN; reads++) {
      const length = sockets.libc.receive(source.descriptor, address, bytes.length, 0);
      if (length <= 0) return this.#stopped(length);
      this.bytes += length;
      const isDrained = length < bytes.length && !source.isDivided;
      if (isDrained) source.isReadable = false;
      // The end was seen before this read, which found less than it had room for: nothing comes after.
      if (isDrained && source.hasEnded) this.#sourceEnded = true;
      if (source.delaysAcknowledgements) source.hasSpoken(this.#sourceEnded);
      const sent = this.#send(address, length, this.#sourceEnded);
      if (sent < 0) return MOVED.targetBroke;
      if (sent < length) {
        const kept = this.#kept = this.#emptyBuffer();
        kept.bytes.set(bytes.subarray(sent, length));
        this.#keptTo = length - sent;
        return this.#waitForTarget();
      }
      if (this.#sourceEnded) {
        this.isHeldBack = true;
        return MOVED.ended;
      }
      if (isDrained) return MOVED.all;
    }
    return MOVED.some;
  }

  #splice(): Moved {
    const { sockets, pipes } = this.#parts;
    const pipe = this.#pipe = pipes.take();
    if (pipe === undefined) return this.#copy();
    for (let fill = 1;; fill++) {
      const length = sockets.libc.splice(
        this.source.descriptor,
        pipe.writeEnd,
        LIMITS.pipeBytes,
        SPLICE_FLAGS,
      );
      if (length <= 0) {
        this.#givePipe(pipe);
        // What looks like the end may be urgent data that nobody was told of yet.
        return length === 0 ? this.#copy() : this.#stopped(length);
      }
      this.bytes += length;
      pipe.bytes = length;
      const outcome = this.#fromPipe(pipe);
      if (outcome !== MOVED.some) return outcome;
      // Less than a pipe full: more gathers for the next turn.
      if (length < LIMITS.pipeBytes || fill === PIPES_PER_TURN) {
        this.#givePipe(pipe);
        return MOVED.some;
      }
    }
  }

  /** `some`: the pipe is empty and given back. */
  #emptyPipe(pipe: Pipe): Moved {
    const { bytes } = pipe;
    const outcome = this.#fromPipe(pipe);
    if (pipe.bytes < bytes) this.#noteProgress();
    if (outcome === MOVED.some) this.#givePipe(pipe);
    return outcome;
  }

  #givePipe(pipe: Pipe): void {
    this.#pipe = undefined;
    this.#parts.pipes.give(pipe);
  }

  /** `some`: the pipe is empty. */
  #fromPipe(pipe: Pipe): Moved {
    const { libc } = this.#parts.sockets;
    while (pipe.bytes > 0) {
      const sent = libc.splice(pipe.readEnd, this.target.descriptor, pipe.bytes, SPLICE_FLAGS);
      if (sent > 0) {
        pipe.bytes -= sent;
      } else if (sent === -ERRNO.EAGAIN || sent === 0) {
        return this.#waitForTarget();
      } else if (sent !== -ERRNO.EINTR) {
        this.#error = -sent;
        return MOVED.targetBroke;
      }
    }
    return MOVED.some;
  }

  /** A read found nothing: the end, nothing yet, or an error. */
  #stopped(result: number): Moved {
    if (result === 0 && this.source.errno === 0) {
      this.#sourceEnded = true;
      this.source.isReadable = false;
      return MOVED.ended;
    }
    if (result === -ERRNO.EAGAIN) {
      this.source.isReadable = false;
      return MOVED.all;
    }
    if (result === -ERRNO.EINTR) return MOVED.some;
    this.#error = this.source.errno || -result;
    return MOVED.sourceBroke;
  }
}
