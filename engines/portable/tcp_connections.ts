/**
 * The connections of one TCP service: which run, which wait their turn, and which have been quiet for too long.
 *
 * @module
 */
import type { Clock, Timer } from "../../clock.ts";
import { LIMITS } from "../../limits.ts";
import type { BindingOptions, EndReason } from "../engine.ts";
import type { ConnectPace } from "./connect_pace.ts";
import type { TcpConnection } from "./tcp_connection.ts";

/** A quiet connection ends at most this part of its time-out late, for one timer per service in place of one each. */
const SWEEPS_PER_TIMEOUT = 8;

/** Live connections, held ones included. */
export class TcpConnections {
  readonly #clock: Clock;
  readonly #pace: ConnectPace;
  readonly #resume = () => this.#startHeld();
  readonly #running = new Set<TcpConnection>();
  /** Accepted but neither read nor scheduled, in order of arrival: the runtime cannot leave them in the kernel's backlog. */
  readonly #held = new Set<TcpConnection>();
  #maxRunning = Infinity;
  #sweepMs = Infinity;
  #sweep: Timer | undefined;
  #idleWaiters: (() => void)[] = [];

  constructor(clock: Clock, pace: ConnectPace) {
    this.#clock = clock;
    this.#pace = pace;
  }

  get size(): number {
    return this.#running.size + this.#held.size;
  }

  /** Holds at once; a higher `maxConnections` lets held connections start. */
  update({ maxConnections = Infinity, idleTimeoutMs = Infinity }: BindingOptions): void {
    this.#maxRunning = maxConnections;
    this.#sweepMs = idleTimeoutMs / SWEEPS_PER_TIMEOUT;
    this.#startHeld();
  }

  /** As many run as may. */
  get isFull(): boolean {
    return this.#running.size >= this.#maxRunning;
  }

  /** As many run as may, once those have started that wait for nothing else. */
  get isTaken(): boolean {
    return this.size >= this.#maxRunning;
  }

  /** Server sockets that accepted connections are about to open. */
  get dueSockets(): number {
    return this.isFull ? 0 : this.#held.size;
  }

  /** Starts the connection or lets it wait; `false` when too many wait for `maxConnections` already. */
  admit(connection: TcpConnection): boolean {
    if (!this.isFull && this.#held.size === 0 && this.#pace.hasRoom) {
      this.#run(connection, connection.startMs);
      return true;
    }
    // Those for whom there is a place wait for an earlier connect's answer only.
    const places = Math.max(0, this.#maxRunning - this.#running.size);
    if (this.#held.size - places >= LIMITS.heldConnections) return false;
    this.#held.add(connection);
    connection.hold();
    if (!this.isFull) this.#pace.wait(this.#resume);
    return true;
  }

  #run(connection: TcpConnection, nowMs: number): void {
    this.#running.add(connection);
    if (this.#sweep === undefined) this.#armSweep();
    this.#pace.begin();
    connection.start(nowMs);
  }

  /** A connection asks for no server any more. */
  settled(): void {
    this.#pace.settled();
  }

  /** The connection has ended: the next one's turn. */
  remove(connection: TcpConnection): void {
    if (!this.#running.delete(connection)) this.#held.delete(connection);
    // Not here and now: the director may be in the middle of an expiry, and must not be asked for a new entry then.
    if (this.#held.size > 0) queueMicrotask(() => this.#startHeld());
    if (this.size > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
    this.#pace.forget(this.#resume);
    for (const done of this.#idleWaiters.splice(0)) done();
  }

  #startHeld(): void {
    for (const next of this.#held) {
      if (this.isFull) return;
      if (!this.#pace.hasRoom) {
        this.#pace.wait(this.#resume);
        return;
      }
      this.#held.delete(next);
      this.#run(next, this.#clock.nowMs());
    }
  }

  #armSweep(): void {
    if (this.#sweepMs === Infinity) return;
    this.#sweep = this.#clock.after(this.#sweepMs, () => {
      this.#sweep = undefined;
      const nowMs = this.#clock.nowMs();
      for (const it of this.#running) if (it.idleDeadlineMs <= nowMs) it.end("idle-timeout");
      if (this.#running.size > 0) this.#armSweep();
    });
  }

  /** Resets the connections to one destination. */
  endTo(destination: number, reason: EndReason): void {
    for (const it of this.#running) if (it.destination === destination) it.end(reason);
  }

  /** Resets those that live now, evenly over `spreadMs`; resolves when they are gone. */
  async endAll(spreadMs: number, reason: EndReason): Promise<void> {
    // Held ones first: they would only be started by the end of the others.
    const doomed = [...this.#held, ...this.#running];
    const startMs = this.#clock.nowMs();
    for (const [i, connection] of doomed.entries()) {
      const waitMs = startMs + spreadMs * i / doomed.length - this.#clock.nowMs();
      if (waitMs >= 1) await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve));
      connection.end(reason);
    }
  }

  /** Resolves when none is live. */
  whenIdle(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }
}
