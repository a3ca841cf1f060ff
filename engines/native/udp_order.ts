/**
 * The sessions of a service in order of use.
 *
 * @module
 */
import type { UdpSession } from "./udp_session.ts";

/** A list through the sessions themselves: every step is O(1) and allocates nothing. */
export class UdpOrder {
  oldest: UdpSession | undefined;
  size = 0;
  #newest: UdpSession | undefined;

  add(session: UdpSession): void {
    session.older = this.#newest;
    session.newer = undefined;
    if (this.#newest === undefined) this.oldest = session;
    else this.#newest.newer = session;
    this.#newest = session;
    this.size++;
  }

  delete(session: UdpSession): void {
    const { older, newer } = session;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    session.older = undefined;
    session.newer = undefined;
    this.size--;
  }

  /** The session was used just now. */
  touch(session: UdpSession, nowMs: number): void {
    session.lastMs = nowMs;
    if (session === this.#newest) return;
    this.delete(session);
    this.add(session);
  }
}
