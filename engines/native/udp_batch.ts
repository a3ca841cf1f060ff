/**
 * What came with one read of a listener, sorted by session.
 *
 * @module
 */
import { DatagramReceiver } from "../../sys/datagram_receiver.ts";
import type { Libc } from "../../sys/libc.ts";
import type { UdpSession } from "./udp_session.ts";

/** Datagrams, or trains of them, of one read: 4 MiB of address space, touched as far as datagrams reach. */
const SLOTS = 64;
/** Datagrams of one train, at most: UDP_MAX_SEGMENTS since Linux 6.3. */
const TRAIN_MOST = 128;

/** Datagrams that lie side by side, in a list of their session. */
export class UdpBatch {
  readonly inbox: DatagramReceiver;
  /** Sessions that have chunks. */
  readonly sessions: UdpSession[] = [];
  readonly #addresses = new Float64Array(SLOTS * TRAIN_MOST);
  readonly #bytes = new Int32Array(SLOTS * TRAIN_MOST);
  readonly #trains = new Int32Array(SLOTS * TRAIN_MOST);
  readonly #next = new Int32Array(SLOTS * TRAIN_MOST);
  #count = 0;

  constructor(libc: Libc) {
    this.inbox = new DatagramReceiver(libc, SLOTS, true);
  }

  clear(): void {
    this.sessions.length = 0;
    this.#count = 0;
  }

  /** Puts datagrams behind those that a session has already. @param trainBytes size of each, 0 when it is one */
  add(session: UdpSession, address: number, bytes: number, trainBytes: number): void {
    const chunk = this.#count++;
    this.#addresses[chunk] = address;
    this.#bytes[chunk] = bytes;
    this.#trains[chunk] = trainBytes;
    this.#next[chunk] = -1;
    if (session.firstChunk < 0) {
      session.firstChunk = chunk;
      this.sessions.push(session);
    } else this.#next[session.lastChunk] = chunk;
    session.lastChunk = chunk;
  }

  address(chunk: number): number {
    return this.#addresses[chunk] ?? 0;
  }

  bytes(chunk: number): number {
    return this.#bytes[chunk] ?? 0;
  }

  trainBytes(chunk: number): number {
    return this.#trains[chunk] ?? 0;
  }

  /** The session's next chunk, -1 for none. */
  next(chunk: number): number {
    return this.#next[chunk] ?? -1;
  }

  /** Number of datagrams in a chunk. */
  datagrams(chunk: number): number {
    return datagramsIn(this.bytes(chunk), this.trainBytes(chunk));
  }
}

/** Number of datagrams of a train, 1 for what is none. */
export function datagramsIn(bytes: number, trainBytes: number): number {
  return trainBytes === 0 ? 1 : Math.ceil(bytes / trainBytes);
}
