/**
 * Threads that load their modules before there is work for them: 60 ms that a start does not have to wait for.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { isFromSources, workerModule } from "../../sys/worker_module.ts";

/** Folder of the program: a worker is loaded at run time, which takes the permission to read all that it imports. */
export function programFolder(): string {
  return fileURLToPath(new URL(isFromSources(import.meta.url) ? "../.." : ".", import.meta.url)).replace(
    /\/$/,
    "",
  );
}

/** Worker threads that wait to be told what they are. */
export class ThreadStock implements Disposable {
  readonly #waiting = new Set<Worker>();

  /** Starts `count` threads, without waiting for them. */
  fill(count: number): void {
    for (let i = 0; i < count; i++) {
      const thread = startThread();
      this.#waiting.add(thread);
      // One that cannot load is told of by the next one, which somebody is waiting for.
      thread.onerror = (event) => {
        event.preventDefault();
        this.#waiting.delete(thread);
      };
    }
  }

  /** One that waits, or a new one. */
  take(): Worker {
    for (const thread of this.#waiting) {
      this.#waiting.delete(thread);
      return thread;
    }
    return startThread();
  }

  /** Ends those that nobody took. */
  [Symbol.dispose](): void {
    for (const thread of this.#waiting) thread.terminate();
    this.#waiting.clear();
  }
}

// Deno's own kind of worker: making one of node:worker_threads holds this thread up for 65 ms in place of 18.
function startThread(): Worker {
  return new Worker(workerModule("worker", import.meta.url), { type: "module" });
}
