/**
 * Resets of many connections, spread over a window so that their clients do not all come back at once.
 *
 * @module
 */
import type { EndReason } from "../engine.ts";
import type { TcpConnection } from "./tcp_connection.ts";

interface Doomed {
  readonly connection: TcpConnection;
  /** Its beginning: the record may serve another connection by then. */
  readonly startMs: number;
  readonly dueMs: number;
}

/** One run of resets. */
interface Run {
  readonly doomed: Doomed[];
  next: number;
  readonly reason: EndReason;
  readonly done: () => void;
}

/** Times are those of `performance.now()`: a window is for the network, not for the director's deadlines. */
export class SpreadResets {
  #runs: Run[] = [];

  /** Resets evenly over `spreadMs`; calls `done` when all of them are gone. */
  start(connections: readonly TcpConnection[], spreadMs: number, reason: EndReason, done: () => void): void {
    const nowMs = performance.now();
    const doomed = connections.map((connection, i) => ({
      connection,
      startMs: connection.startMs,
      dueMs: nowMs + spreadMs * i / connections.length,
    }));
    this.#runs.push({ doomed, next: 0, reason, done });
    this.advance();
  }

  get isActive(): boolean {
    return this.#runs.length > 0;
  }

  /** When the next one is due; Infinity when none is left. */
  get dueMs(): number {
    let dueMs = Infinity;
    for (const { doomed, next } of this.#runs) dueMs = Math.min(dueMs, doomed[next]?.dueMs ?? 0);
    return dueMs;
  }

  advance(): void {
    if (this.#runs.length === 0) return;
    const nowMs = performance.now();
    for (const run of this.#runs) {
      for (let it = run.doomed[run.next]; it !== undefined && it.dueMs <= nowMs; it = run.doomed[run.next]) {
        run.next++;
        if (it.connection.startMs === it.startMs) it.connection.end(run.reason);
      }
    }
    const over = this.#runs.filter((run) => run.next === run.doomed.length);
    this.#runs = this.#runs.filter((run) => run.next < run.doomed.length);
    for (const { done } of over) done();
  }
}
