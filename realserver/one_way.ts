/**
 * One direction of a relayed connection: bytes from one socket to another, with back-pressure and half-close.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import { ERRNO } from "../sys/errno.ts";
import { addressBehind, addressOf, type Libc } from "../sys/libc.ts";
import { MESSAGE } from "../sys/socket_numbers.ts";
import type { Sockets } from "../sys/sockets.ts";

/** What became of a turn. */
export type WayOutcome = "waiting" | "source-broken" | "target-broken";

/** Reads in one turn: a fast stream must not starve the others. */
const READS_A_TURN = 8;

/** Memory that all directions of a thread read into; what cannot be sent at once is copied out of it. */
export class SharedBuffer {
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(LIMITS.relayBufferBytes);
  readonly address = addressOf(this.bytes);
}

/** Holds at most one buffer's worth of bytes. */
export class OneWay {
  /** Bytes that were passed on. */
  bytes = 0;
  readonly #libc: Libc;
  readonly #sockets: Sockets;
  readonly #shared: SharedBuffer;
  readonly #from: number;
  readonly #to: number;
  #pending: Uint8Array<ArrayBuffer> | undefined;
  #sentOfPending = 0;
  /** The end was passed on. */
  isDone = false;

  constructor(libc: Libc, sockets: Sockets, shared: SharedBuffer, from: number, to: number) {
    this.#libc = libc;
    this.#sockets = sockets;
    this.#shared = shared;
    this.#from = from;
    this.#to = to;
  }

  /** Whether bytes are wanted from the source. */
  get wantsRead(): boolean {
    return !this.isDone && this.#pending === undefined;
  }

  /** Whether bytes wait for the target. */
  get wantsWrite(): boolean {
    return this.#pending !== undefined;
  }

  /** Moves what can be moved now. */
  turn(): WayOutcome {
    for (let i = 0; i < READS_A_TURN && !this.isDone; i++) {
      if (this.#pending !== undefined) {
        const outcome = this.#sendPending(this.#pending);
        if (outcome !== "waiting" || this.#pending !== undefined) return outcome;
      }
      const { bytes, address } = this.#shared;
      const length = this.#libc.receive(this.#from, address, bytes.length, 0);
      if (length === -ERRNO.EAGAIN || length === -ERRNO.EINTR) return "waiting";
      if (length < 0) return "source-broken";
      if (length === 0) {
        // At once, and not in another turn: nothing that epoll knows of would bring one.
        this.#sockets.endWriting(this.#to);
        this.isDone = true;
        return "waiting";
      }
      const sent = this.#sockets.send(this.#to, address, length);
      if (sent < 0 && sent !== -ERRNO.EAGAIN) return "target-broken";
      this.bytes += length;
      if (sent === length) continue;
      this.#pending = bytes.slice(Math.max(0, sent), length);
      this.#sentOfPending = 0;
    }
    return "waiting";
  }

  #sendPending(pending: Uint8Array<ArrayBuffer>): WayOutcome {
    const left = pending.length - this.#sentOfPending;
    const from = addressBehind(addressOf(pending), this.#sentOfPending);
    const sent = this.#libc.send(this.#to, from, left, MESSAGE.noSignal);
    if (sent < 0) return sent === -ERRNO.EAGAIN ? "waiting" : "target-broken";
    this.#sentOfPending += sent;
    if (sent === left) this.#pending = undefined;
    return "waiting";
  }
}
