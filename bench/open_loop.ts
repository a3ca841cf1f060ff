/**
 * A load generator that asks at planned times, however slow the answers come: what a request waits because an earlier one
 * was slow is part of its latency, which a closed loop (wrk) leaves out.
 */
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import type { Measurement } from "./figure.ts";

/** The same for every side. */
export interface OpenLoopRun {
  readonly requestsPerSecond: number;
  readonly connections: number;
  readonly seconds: number;
}

const REQUEST = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
/** One request at a time on a connection, so a chunk that ends so is the end of its answer. */
const LAST_BYTE = "\n".charCodeAt(0);
const TICK_MS = 1;
/** Requests that are not answered so long after the last was due are errors. */
const LATE_MS = 5_000;

/**
 * Microseconds.
 *
 * @param quantile which share of the requests is answered at least as fast: 0.99 for p99
 */
export async function runOpenLoop(
  port: number,
  run: OpenLoopRun,
  quantile: number,
  signal: AbortSignal,
): Promise<Measurement> {
  using loop = await OpenLoop.connect(port, run);
  const errors = await loop.run(signal);
  return {
    value: quantileOf(loop.latenciesMs, quantile) * 1_000,
    errors,
    units: loop.latenciesMs.length,
  };
}

/** One load; its connections are closed when it is disposed of. */
export class OpenLoop {
  readonly #run: OpenLoopRun;
  readonly #sockets: Socket[] = [];
  readonly #idle: Socket[] = [];
  /** When the request under way on a socket was due. */
  readonly #dueMs = new Map<Socket, number>();
  /** When those were due that no connection was free for; the oldest first. */
  readonly #waiting: number[] = [];
  /** Of the requests answered so far. */
  readonly latenciesMs: number[] = [];
  #broken = 0;

  private constructor(run: OpenLoopRun) {
    this.#run = run;
  }

  static async connect(port: number, run: OpenLoopRun): Promise<OpenLoop> {
    using connecting = new DisposableStack();
    const loop = connecting.use(new OpenLoop(run));
    await loop.#connect(port);
    connecting.move();
    return loop;
  }

  async #connect(port: number): Promise<void> {
    for (let i = 0; i < this.#run.connections; i++) {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      this.#sockets.push(socket);
      socket.on("data", (chunk: Uint8Array) => {
        if (chunk.at(-1) === LAST_BYTE) this.#answered(socket);
      });
      await once(socket, "connect");
      // What breaks later is counted: its request is never answered, and the connection takes no more.
      socket.on("error", () => this.#broken++);
      this.#idle.push(socket);
    }
  }

  /** @returns how many requests were not answered, and connections broken */
  async run(signal: AbortSignal): Promise<number> {
    const { requestsPerSecond, seconds } = this.#run;
    const planned = Math.floor(requestsPerSecond * seconds);
    const startMs = performance.now();
    const lateMs = startMs + seconds * 1_000 + LATE_MS;
    let asked = 0;
    while (this.latenciesMs.length < planned && performance.now() < lateMs) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      signal.throwIfAborted();
      const dueCount = Math.min(planned, (performance.now() - startMs) * requestsPerSecond / 1_000);
      while (asked < dueCount) this.#ask(startMs + (asked++ * 1_000) / requestsPerSecond);
    }
    return planned - this.latenciesMs.length + this.#broken;
  }

  #ask(dueMs: number): void {
    const socket = this.#idle.pop();
    if (socket === undefined) this.#waiting.push(dueMs);
    else this.#send(socket, dueMs);
  }

  #send(socket: Socket, dueMs: number): void {
    this.#dueMs.set(socket, dueMs);
    socket.write(REQUEST);
  }

  #answered(socket: Socket): void {
    this.latenciesMs.push(performance.now() - (this.#dueMs.get(socket) ?? 0));
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(socket);
    else this.#send(socket, next);
  }

  [Symbol.dispose](): void {
    for (const it of this.#sockets) it.destroy();
  }
}

/** The smallest value that at least this share of all does not exceed; 0 of none. */
export function quantileOf(values: readonly number[], quantile: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? 0;
}
