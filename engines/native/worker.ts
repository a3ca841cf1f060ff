/**
 * A worker of the native engine: started by `worker_thread.ts`, ends when it is told to.
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import { WorkerLoop } from "./worker_loop.ts";

new WorkerLoop(workerData).run();
