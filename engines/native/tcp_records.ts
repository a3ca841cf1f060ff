/**
 * The connection records of a worker, used over and over.
 *
 * @module
 */
import { FlowMemory } from "../../net/flow.ts";
import { TcpConnection } from "./tcp_connection.ts";
import type { WorkerParts } from "./worker_parts.ts";

/** Grows to the most connections there ever were at once, but not beyond the entries of the worker's director. */
export class TcpRecords {
  readonly #most: number;
  readonly #all: TcpConnection[] = [];
  readonly #free: TcpConnection[] = [];
  readonly #leaving: TcpConnection[] = [];
  readonly #flows = new FlowMemory();
  #parts: WorkerParts | undefined;

  /** @param most number of the last record: timers have room for so many */
  constructor(most: number) {
    this.#most = most;
  }

  /** Records and parts know each other. */
  attach(parts: WorkerParts): void {
    this.#parts = parts;
  }

  /** A record for one more connection, if there may be one. */
  take(): TcpConnection | undefined {
    return this.#free.pop() ?? this.#make();
  }

  #make(): TcpConnection | undefined {
    if (this.#all.length >= this.#most) return undefined;
    if (this.#parts === undefined) throw new Error("records without parts: a defect");
    const connection = new TcpConnection(this.#all.length + 1, this.#flows.make(), this.#parts);
    this.#all.push(connection);
    return connection;
  }

  /** The record is free when this turn is over: until then somebody may be in the middle of it. */
  leave(id: number): void {
    const connection = this.get(id);
    if (connection !== undefined) this.#leaving.push(connection);
  }

  turned(): void {
    if (this.#leaving.length === 0) return;
    for (const it of this.#leaving) this.#free.push(it);
    this.#leaving.length = 0;
  }

  get(id: number): TcpConnection | undefined {
    return this.#all[id - 1];
  }

  /** Live ones. */
  *live(): Generator<TcpConnection> {
    for (const it of this.#all) if (it.isLive) yield it;
  }
}
