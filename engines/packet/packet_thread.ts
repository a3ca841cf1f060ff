/**
 * The packet engine's thread as the main thread sees it: started, ordered, heard, noticed when it dies.
 *
 * @module
 */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { SystemError } from "../../errors.ts";
import { workerModule } from "../../sys/worker_module.ts";
import type { Order, Report, WorkerStart } from "./worker_messages.ts";

/** An order without its number. */
export type Wish = Order extends infer One ? One extends Order ? Omit<One, "id"> : never : never;

/** The answer to an order. */
export type Done = Extract<Report, { kind: "done" }>;

/** What a thread says by itself. */
export interface PacketThreadListener {
  reported(report: Extract<Report, { kind: "log" | "probed" }>): void;
  /** It ended without having been stopped. */
  died(thread: PacketThread, cause: Error | undefined): void;
}

/** One thread. Ends with {@linkcode stop}, or dies. */
export class PacketThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #listener: PacketThreadListener;
  readonly #waiting = new Map<number, (done: Done) => void>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();
  #connections: ArrayBufferLike | undefined;
  #nextId = 1;
  #isStopping = false;
  #isOver = false;
  #cause: Error | undefined;

  private constructor(start: Omit<WorkerStart, "port">, listener: PacketThreadListener) {
    const { port1, port2 } = new MessageChannel();
    this.#listener = listener;
    this.#port = port1;
    port1.on("message", (report: Report) => this.#heard(report));
    this.#worker = new Worker(workerModule("packet_worker", import.meta.url), {
      workerData: { ...start, port: port2 } satisfies WorkerStart,
      transferList: [port2],
    });
    this.#worker.once("error", (error: Error) => this.#cause = error);
    this.#worker.once("exit", () => this.#gone());
  }

  /**
   * Resolves when it forwards.
   *
   * @throws {SystemError} what kept it from it
   */
  static async start(
    start: Omit<WorkerStart, "port">,
    listener: PacketThreadListener,
  ): Promise<PacketThread> {
    const thread = new PacketThread(start, listener);
    await thread.#ready.promise;
    return thread;
  }

  /** The connection table of its director. */
  get connections(): ArrayBufferLike | undefined {
    return this.#connections;
  }

  /** Resolves when it has obeyed; a dead one has nothing left to do. */
  order(wish: Wish): Promise<Done> {
    const id = this.#nextId++;
    if (this.#isOver) return Promise.resolve({ kind: "done", id });
    const { promise, resolve } = Promise.withResolvers<Done>();
    this.#waiting.set(id, resolve);
    this.#port.postMessage({ ...wish, id });
    return promise;
  }

  /** Resolves when it has gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.order({ kind: "stop" });
    await this.#worker.terminate();
    if (!this.#isOver) await this.#exited.promise;
  }

  #heard(report: Report): void {
    switch (report.kind) {
      case "ready":
        this.#connections = report.connections;
        return this.#ready.resolve();
      case "failed":
        this.#isStopping = true;
        return this.#ready.reject(new SystemError(report.code, report.message));
      case "done":
        this.#waiting.get(report.id)?.(report);
        this.#waiting.delete(report.id);
        return;
      default:
        this.#listener.reported(report);
    }
  }

  #gone(): void {
    this.#isOver = true;
    this.#port.close();
    for (const [id, resolve] of this.#waiting) resolve({ kind: "done", id });
    this.#waiting.clear();
    this.#exited.resolve();
    if (this.#connections === undefined) {
      this.#ready.reject(
        this.#cause ?? new SystemError("WORKER_DIED", "the packet engine's thread ended", {}),
      );
    } else if (!this.#isStopping) this.#listener.died(this, this.#cause);
  }
}
