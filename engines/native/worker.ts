/**
 * A worker of the native engine: started by `worker_thread.ts`, ends when it is told to.
 *
 * @module
 */
import type { WorkerStart } from "./messages.ts";
import { WorkerLoop } from "./worker_loop.ts";

addEventListener("message", (event) => {
  const start: WorkerStart = (event as MessageEvent).data;
  try {
    new WorkerLoop(start).run();
    postMessage(undefined);
  } catch (error) {
    // By the way of all reports, so that it comes behind them.
    start.port.postMessage({
      kind: "died",
      why: error instanceof Error ? error.message : String(error),
    });
  }
  close();
}, { once: true });
