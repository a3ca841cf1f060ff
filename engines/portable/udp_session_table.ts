/**
 * The live sessions of one UDP service, the least recently used one first.
 *
 * @module
 */
import type { Clock, Timer } from "../../clock.ts";
import { NO_ENTRY } from "../../net/flow.ts";
import type { UdpSession } from "./udp_session.ts";

/** Sessions by client and by the director's entry, in order of use, with one timer for all that fall idle. */
export class UdpSessionTable {
  readonly #clock: Clock;
  readonly #idle: (session: UdpSession) => void;
  // A Map keeps the order of insertion: putting a session in anew makes it the last, both in O(1).
  readonly #byKey = new Map<string, UdpSession>();
  readonly #byEntry = new Map<number, UdpSession>();
  #newest: UdpSession | undefined;
  #idleMs = Infinity;
  #sweep: Timer | undefined;

  /** @param idle called for each session that was quiet for `idleMs`; it deletes it */
  constructor(clock: Clock, idle: (session: UdpSession) => void) {
    this.#clock = clock;
    this.#idle = idle;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): UdpSession | undefined {
    return this.#byKey.get(key);
  }

  withEntry(entry: number): UdpSession | undefined {
    return this.#byEntry.get(entry);
  }

  /** The least recently used session. */
  oldest(): UdpSession | undefined {
    for (const session of this.#byKey.values()) return session;
    return undefined;
  }

  /** The sessions at this moment; they may be deleted meanwhile. */
  all(): UdpSession[] {
    return [...this.#byKey.values()];
  }

  add(session: UdpSession): void {
    this.#byKey.set(session.key, session);
    this.#newest = session;
    this.#waitForOldest();
  }

  /** The session was used just now. */
  touch(session: UdpSession, nowMs: number): void {
    session.lastUsedMs = nowMs;
    if (session === this.#newest || session.isOver) return;
    this.#byKey.delete(session.key);
    this.#byKey.set(session.key, session);
    this.#newest = session;
  }

  /** The director's entry of a session is this one now. */
  bindEntry(session: UdpSession, entry: number): void {
    if (session.entry === entry) return;
    this.#byEntry.delete(session.entry);
    session.entry = entry;
    if (entry !== NO_ENTRY) this.#byEntry.set(entry, session);
  }

  delete(session: UdpSession): void {
    this.#byKey.delete(session.key);
    // A newer session may have taken over the entry.
    if (this.#byEntry.get(session.entry) === session) this.#byEntry.delete(session.entry);
    if (this.#newest === session) this.#newest = undefined;
    if (this.#byKey.size === 0) this.#cancelSweep();
  }

  /** Quiet time that ends a session, of old ones too; `Infinity` leaves it to the director. */
  setIdle(idleMs: number): void {
    if (idleMs === this.#idleMs) return;
    this.#idleMs = idleMs;
    this.#cancelSweep();
    this.#waitForOldest();
  }

  #waitForOldest(): void {
    if (this.#sweep !== undefined || this.#idleMs === Infinity) return;
    const oldest = this.oldest();
    if (oldest === undefined) return;
    const dueMs = oldest.lastUsedMs + this.#idleMs - this.#clock.nowMs();
    this.#sweep = this.#clock.after(Math.max(0, dueMs), () => this.#sweepIdle());
  }

  #sweepIdle(): void {
    this.#sweep = undefined;
    const latestMs = this.#clock.nowMs() - this.#idleMs;
    // The order of use is the order of falling idle: the first that is not stands for all behind it.
    for (const session of this.#byKey.values()) {
      if (session.lastUsedMs > latestMs) break;
      this.#idle(session);
    }
    this.#waitForOldest();
  }

  #cancelSweep(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }
}
