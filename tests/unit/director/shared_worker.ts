/** A thread of its own that opens connections through a director on a store shared with others. */
import { parentPort, workerData } from "node:worker_threads";
import { Director } from "../../../director/director.ts";
import { Store } from "../../../director/store.ts";
import { SeededRandom } from "../../../net/random.ts";
import { close, open, plainRoundRobin, tcp } from "./testbed.ts";

export interface WorkerTask {
  readonly buffer: SharedArrayBuffer;
  readonly workerIndex: number;
  readonly connections: number;
  /** What becomes of the connections: left open, or closed and waited for. */
  readonly then: "leave" | "close";
}

export interface WorkerResult {
  /** How many connections each destination handle got, in pairs. */
  readonly picks: readonly (readonly [number, number])[];
  readonly connectionMemory: SharedArrayBuffer;
}

function work({ buffer, workerIndex, connections, then }: WorkerTask): WorkerResult {
  const director = new Director({
    store: Store.attach(buffer),
    random: new SeededRandom(workerIndex),
    findScheduler: () => plainRoundRobin,
    workerIndex,
    connectionEntries: 65_536,
  });
  const picks = new Map<number, number>();
  for (let i = 0; i < connections; i++) {
    const flow = tcp(`10.${workerIndex}.${i >> 8}.${i & 255}:40000`);
    const { destination } = open(director, flow, i / 1_000);
    picks.set(destination, (picks.get(destination) ?? 0) + 1);
    if (then === "close") close(director, flow, i / 1_000);
  }
  if (then === "close") director.advance(10_000_000);
  const memory = director.connectionMemory;
  if (!(memory instanceof SharedArrayBuffer)) throw new Error("the connection table is not shared");
  return { picks: [...picks], connectionMemory: memory };
}

parentPort?.postMessage(work(workerData as WorkerTask));
