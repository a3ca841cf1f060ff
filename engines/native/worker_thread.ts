/**
 * A worker as the main thread sees it: started, told, rung, heard, noticed when it dies.
 *
 * @module
 */
import type { EventFd } from "../../sys/event_fd.ts";
import type { EndedConnection } from "../engine.ts";
import type { EngineMemory } from "./engine_memory.ts";
import type { EventRecord } from "./event_record.ts";
import { createEventRing, EventReader, type TakeEvent } from "./event_ring.ts";
import type { Command, Report, WorkerStart } from "./messages.ts";

/** What a worker says, and that it is gone. */
export interface WorkerListener {
  reported(worker: WorkerThread, report: Report): void;
  happened(record: EventRecord, ended: EndedConnection): void;
  lost(worker: WorkerThread, events: number): void;
  /** It ended without having been stopped. */
  died(worker: WorkerThread, cause: Error | undefined): void;
}

/** What every worker of an engine starts with. */
export type CommonStart =
  & Omit<WorkerStart, "worker" | "bell" | "port" | "memory" | "events" | "flight" | "seed">
  & {
    /** Flight rings by worker, from 1; one that takes a dead one's place goes on with its ring. */
    readonly flights: readonly ArrayBufferLike[];
  };

/** What one worker has of its own. */
export interface WorkerPlace {
  readonly number: number;
  readonly bell: EventFd;
  readonly seed: number;
  /** Nobody has told it anything yet. */
  readonly thread: Worker;
}

/** One thread. Ends with {@linkcode stop}, or dies. */
export class WorkerThread {
  readonly number: number;
  /** The connection table of its director, once it is ready. */
  connections: ArrayBufferLike | undefined;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #bell: EventFd;
  readonly #memory: EngineMemory;
  readonly #events: EventReader;
  readonly #listener: WorkerListener;
  readonly #happened: TakeEvent = (record, ended) => this.#listener.happened(record, ended);
  readonly #requests = new Map<number, () => void>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  #nextRequest = 1;
  #isStopping = false;
  #isOver = false;
  #cause: Error | undefined;

  constructor(
    { number, bell, seed, thread }: WorkerPlace,
    memory: EngineMemory,
    common: CommonStart,
    listener: WorkerListener,
  ) {
    this.number = number;
    this.#memory = memory;
    this.#listener = listener;
    this.#bell = bell;
    const events = createEventRing();
    this.#events = new EventReader(events);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }: MessageEvent<Report>) => this.#heard(data);
    const { flights, ...rest } = common;
    const start = {
      ...rest,
      flight: flights[number - 1],
      worker: number,
      bell: bell.descriptor,
      port: port2,
      memory: memory.buffers,
      events,
      seed,
    } satisfies Omit<WorkerStart, "port"> & { port: MessagePort };
    this.#worker = thread;
    this.#worker.onmessage = () => this.#gone();
    this.#worker.onerror = (event) => {
      // Unprevented, it would be this thread's error too.
      event.preventDefault();
      this.#cause = new Error(event.message);
      this.#gone();
    };
    this.#worker.postMessage(start, [port2]);
    // Nobody has to wait for it: one that dies first is told of as dead.
    this.#ready.promise.catch(() => {});
  }

  /** Resolves when it runs, or when it never will. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Puts a message into its mailbox and rings. */
  tell(command: Command): void {
    if (this.#isOver) return;
    this.#port.postMessage(command);
    this.#memory.mailed(this.number);
    this.#bell.signal();
  }

  ring(): void {
    if (!this.#isOver) this.#bell.signal();
  }

  /** Tells, and resolves when it has obeyed; a dead worker has nothing left to do. */
  ask(command: (request: number) => Command): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    const request = this.#nextRequest++;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#requests.set(request, resolve);
    this.tell(command(request));
    return promise;
  }

  /** Hands over the events that wait. */
  drainEvents(): void {
    this.#events.drain(this.#happened);
    const lost = this.#events.takeLost();
    if (lost > 0) this.#listener.lost(this, lost);
  }

  /** Raises the flag and rings: `terminate` does not reach a blocked worker. Resolves when it has gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#memory.stop(this.number);
    this.ring();
    await this.#exited.promise;
  }

  #heard(report: Report): void {
    if (report.kind === "done") {
      this.drainEvents();
      this.#requests.get(report.request)?.();
      this.#requests.delete(report.request);
      return;
    }
    if (report.kind === "died") {
      this.#cause = new Error(report.why);
      this.#gone();
      return;
    }
    if (report.kind === "events" || report.kind === "idle") this.drainEvents();
    if (report.kind === "ready") {
      this.connections = report.connections;
      this.#ready.resolve();
    }
    this.#listener.reported(this, report);
  }

  #gone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.drainEvents();
    this.#port.close();
    this.#worker.terminate();
    if (!this.#isStopping) this.#listener.died(this, this.#cause);
    for (const resolve of this.#requests.values()) resolve();
    this.#requests.clear();
    this.#ready.resolve();
    this.#exited.resolve();
  }
}
