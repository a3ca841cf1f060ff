/**
 * What both sides of the spike share. A file of its own: bundled into the worker, a module that asks `import.meta.main`
 * would hear yes there, since the whole bundle is the worker's main module.
 */
import type { MessagePort } from "node:worker_threads";

/** Words of the shared store. */
export const WORD = { stop: 0, lock: 1, generation: 2, plainSum: 3, count: 4 } as const;

/** A message to a worker: add to the plain sum this often, each time under the lock. */
export interface Command {
  readonly increments: number;
  /** Throw while holding the lock. */
  readonly dieInside: boolean;
}

/** Everything a worker gets at its start, before it enters its loop. */
export interface Start {
  readonly id: number;
  /** Descriptor of the eventfd that rings this worker. */
  readonly descriptor: number;
  readonly port: MessagePort;
  readonly words: Int32Array<SharedArrayBuffer>;
}

/** A message from a worker. */
export interface Answer {
  readonly id: number;
  readonly kind: "ready" | "done" | "stopped";
  /** How often the loop went round; a loop that spins would have thousands. */
  readonly turns: number;
  /** How often a message event fired inside the loop. */
  readonly eventsFired: number;
  readonly generation: number;
}
