/**
 * Datagrams of sessions that are not open yet: a question about them is on its way to the main thread.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import type { UdpSession } from "./udp_session.ts";

/** What an empty datagram costs nevertheless. */
const LEAST_BYTES = 256;

/** One for each worker: their memory is bounded over all sessions. */
export class KeptDatagrams {
  #bytes = 0;

  /** Keeps a copy, if there is room for it. */
  tryKeep(session: UdpSession, datagram: Uint8Array): boolean {
    const bytes = datagram.length + LEAST_BYTES;
    if (this.#bytes + bytes > LIMITS.keptDatagramBytes) return false;
    this.#bytes += bytes;
    session.kept.push(datagram.slice());
    return true;
  }

  /** Hands over the first one. */
  shift(session: UdpSession): Uint8Array<ArrayBuffer> | undefined {
    const datagram = session.kept.shift();
    if (datagram !== undefined) this.#bytes -= datagram.length + LEAST_BYTES;
    return datagram;
  }

  /** Forgets all of a session. @returns how many there were */
  drop(session: UdpSession): number {
    const { length } = session.kept;
    while (this.shift(session) !== undefined);
    return length;
  }
}
