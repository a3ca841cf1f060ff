/**
 * One socket of a proxied connection: the client's or the server's.
 *
 * @module
 */
import { EPOLL } from "../../sys/epoll.ts";
import { STREAM_EVENTS, type Unfinished, type Watched } from "./reactor.ts";
import type { WorkerParts } from "./worker_parts.ts";

/** What the socket belongs to. */
export interface SideOwner {
  /** Something happened that `side` has noted. */
  sideReady(side: TcpSide, happened: number): void;
}

/** A socket and what is known of it. Used again for the next connection. */
export class TcpSide implements Watched, Unfinished {
  descriptor = -1;
  /** Bytes, or the end of the stream, may wait. */
  isReadable = false;
  /** It takes bytes, as far as known. */
  isWritable = false;
  /** The peer sends no more: once a read finds less than it asked for, the stream is at its end. */
  hasEnded = false;
  /** The socket's error, once it was taken from it: an end of stream read afterwards is none. */
  errno = 0;
  /** Urgent data divides reads: a short one does not prove that nothing is left. */
  isDivided = false;
  /** Writes so far, while that matters. */
  writes = 0;
  /** Acknowledgements wait for something to go along with, since `dialServer`. */
  delaysAcknowledgements = false;
  /** Whether the handshake's has waited for a turn. */
  #hasWaited = false;
  /** Segments received that the director has been told of. */
  #countedSegments = 0;
  readonly #parts: WorkerParts;
  readonly #owner: SideOwner;
  #tag = 0;
  #watchesWritable = false;

  constructor(parts: WorkerParts, owner: SideOwner) {
    this.#parts = parts;
    this.#owner = owner;
  }

  get isOpen(): boolean {
    return this.descriptor >= 0;
  }

  /** Takes a socket over. @param delaysAcknowledgements it was told to */
  begin(descriptor: number, delaysAcknowledgements = false): void {
    const { memory, worker } = this.#parts;
    this.descriptor = descriptor;
    this.isReadable = false;
    this.isWritable = false;
    this.hasEnded = false;
    this.errno = 0;
    this.isDivided = false;
    this.writes = 0;
    this.delaysAcknowledgements = delaysAcknowledgements;
    this.#countedSegments = 0;
    memory.opened(worker, descriptor);
  }

  watch(withWritable: boolean): void {
    this.#watchesWritable = withWritable;
    this.#tag = this.#parts.reactor.watch(this.descriptor, this.#interest(), this);
  }

  /** Wants to be told when the socket takes bytes again. Costs nothing while nobody waits for it, so it stays so. */
  watchWritable(): void {
    if (this.#watchesWritable) return;
    this.#watchesWritable = true;
    this.#parts.reactor.change(this.descriptor, this.#interest(), this.#tag);
  }

  #interest(): number {
    return (this.#watchesWritable ? STREAM_EVENTS | EPOLL.out : STREAM_EVENTS) >>> 0;
  }

  ready(happened: number): void {
    if ((happened & (EPOLL.in | EPOLL.peerHangUp | EPOLL.hangUp)) !== 0) this.isReadable = true;
    // A reset hangs up too, but is no end of stream.
    if ((happened & (EPOLL.peerHangUp | EPOLL.error)) === EPOLL.peerHangUp) this.hasEnded = true;
    if ((happened & EPOLL.urgent) !== 0) this.isDivided = true;
    if ((happened & EPOLL.out) !== 0) this.isWritable = true;
    this.#owner.sideReady(this, happened);
  }

  /** Segments received since this was asked last. */
  takeSegments(): number {
    if (this.descriptor < 0) return 0;
    const all = this.#parts.sockets.receivedSegments(this.descriptor);
    const fresh = (all - this.#countedSegments) >>> 0;
    this.#countedSegments = all;
    return fresh;
  }

  /**
   * Connected. If nothing was there to take the handshake's last acknowledgement along, it goes by itself: the peer may be the
   * one that speaks first. Under load not before the next turn is over: a client's first bytes are seldom later than that.
   */
  endHandshake(): void {
    if (this.writes > 0 || !this.delaysAcknowledgements) return;
    this.#hasWaited = false;
    this.#parts.reactor.again(this);
  }

  goOn(): void {
    // Written to, heard from or closed meanwhile.
    if (this.writes > 0 || !this.delaysAcknowledgements) return;
    if (this.#hasWaited || !this.#parts.reactor.isBusy) return this.#acknowledge();
    this.#hasWaited = true;
    this.#parts.reactor.again(this);
  }

  /**
   * The first bytes were read. A peer with Nagle's algorithm holds the rest of a divided answer back until they are
   * acknowledged, which the kernel would do 40 ms later; behind its last bytes it waits for nothing.
   */
  hasSpoken(isOver: boolean): void {
    if (isOver) this.delaysAcknowledgements = false;
    else this.#acknowledge();
  }

  #acknowledge(): void {
    this.delaysAcknowledgements = false;
    this.#parts.sockets.setQuickAck(this.descriptor, true);
  }

  /** Ends the own stream; the other way stays open. */
  endWriting(): void {
    this.#parts.sockets.endWriting(this.descriptor);
  }

  close(): void {
    if (this.descriptor < 0) return;
    this.#release();
    this.#parts.sockets.close(this.descriptor);
    this.descriptor = -1;
  }

  reset(): void {
    if (this.descriptor < 0) return;
    this.#release();
    this.#parts.sockets.reset(this.descriptor);
    this.descriptor = -1;
  }

  #release(): void {
    if (this.#tag !== 0) this.#parts.reactor.forget(this.#tag);
    this.#tag = 0;
    this.delaysAcknowledgements = false;
    this.#parts.memory.closed(this.descriptor);
  }
}
