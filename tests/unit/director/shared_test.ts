/** Several threads over one store. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { DESTINATION_WORDS, HEADER, SERVICE, SERVICE_WORDS } from "../../../director/layout.ts";
import { breakLock, Locks, ownerOf } from "../../../director/locks.ts";
import { Store } from "../../../director/store.ts";
import { ACTION } from "../../../director/verdict.ts";
import { DIRECTION, reversed } from "../../../net/flow.ts";
import { SeededRandom } from "../../../net/random.ts";
import type { WorkerResult, WorkerTask } from "./shared_worker.ts";
import { counts, destination, from, makeDirector, SYN, tcp, tcpService } from "./testbed.ts";

const WORKERS = 3;

function makeShared() {
  const store = Store.create({
    shared: true,
    capacities: {
      services: 4,
      destinations: 16,
      persistenceTemplates: 16,
      schedulerCells: 64,
      workers: WORKERS + 1,
    },
  });
  const director = makeDirector({ store });
  const service = director.addService(tcpService(), 0);
  for (let host = 1; host <= 5; host++) director.addDestination(service, destination(`10.2.0.${host}:80`), 0);
  return { store, director, service };
}

async function run(store: Store, connections: number, then: WorkerTask["then"]): Promise<WorkerResult[]> {
  const { buffer } = store;
  assert.ok(buffer instanceof SharedArrayBuffer);
  return await Promise.all(Array.from({ length: WORKERS }, async (_, i) => {
    const workerData: WorkerTask = { buffer, workerIndex: i + 1, connections, then };
    const worker = new Worker(new URL("./shared_worker.ts", import.meta.url), { workerData });
    try {
      const [result] = await once(worker, "message");
      return result as WorkerResult;
    } finally {
      await worker.terminate();
    }
  }));
}

Deno.test("shared: rr over three threads is still rr, and every counter is exact", async () => {
  const { store, director, service } = makeShared();
  const results = await run(store, 4_000, "close");
  const picks = new Map<number, number>();
  for (const [handle, count] of results.flatMap((result) => result.picks)) {
    picks.set(handle, (picks.get(handle) ?? 0) + count);
  }
  assert.deepEqual([...picks.values()], [2_400, 2_400, 2_400, 2_400, 2_400]);
  assert.deepEqual(director.destinationViews(service).map(counts), new Array(5).fill([0, 0, 0]));
  assert.equal(director.totals().connections, 12_000);
  assert.deepEqual(
    director.destinationViews(service).map((view) => view.statistics.connections),
    new Array(5).fill(2_400),
  );
});

Deno.test("shared: a dead worker's connections leave the counters", async () => {
  const { store, director, service } = makeShared();
  const results = await run(store, 1_000, "leave");
  const active = () => director.destinationViews(service).reduce((sum, view) => sum + view.activeConns, 0);
  assert.equal(active(), 3_000);
  results.forEach((result, i) => {
    const recovered = director.recoverWorker(i + 1, result.connectionMemory);
    assert.deepEqual(recovered, { services: [], connections: 1_000 });
    assert.equal(active(), 3_000 - (i + 1) * 1_000);
  });
});

Deno.test("shared: a dead worker's locks are broken, its service goes on", () => {
  const { store, director, service } = makeShared();
  const other = makeDirector({ store, workerIndex: 1 });
  const slot = director.store.services.findIndex((word, i) => i % SERVICE_WORDS === 0 && word === service) /
    SERVICE_WORDS;
  const lock = slot * SERVICE_WORDS + SERVICE.lock;
  const dead = new Locks(2, { shared: true });
  dead.lock(store.services, lock);
  dead.lock(store.header, HEADER.templateLock);
  assert.throws(() => from(director, tcp("192.0.2.1:1"), SYN, 0), { code: "EBUSY", message: /worker 2/ });
  assert.deepEqual(director.recoverWorker(2, other.connectionMemory), {
    services: [service],
    connections: 0,
  });
  assert.ok(from(director, tcp("192.0.2.1:1"), SYN, 0).destination > 0);
  assert.equal(store.header[HEADER.templateLock], 0);
});

Deno.test("locks: a thread that would wait for itself is told so", () => {
  const words = new Int32Array(1);
  for (const shared of [false, true]) {
    const memory = shared ? new Int32Array(new SharedArrayBuffer(4)) : words;
    const locks = new Locks(0, { shared });
    locks.lock(memory, 0);
    assert.throws(() => locks.lock(memory, 0), { code: "EDEADLK" });
    assert.equal(breakLock(memory, 0, ownerOf(7)), false, "somebody else's");
    locks.unlock(memory, 0);
    assert.equal(locks.tryLock(memory, 0), true);
    assert.equal(locks.tryLock(memory, 0), false);
    locks.unlock(memory, 0);
  }
});

Deno.test("store: a foreign buffer is refused, another thread's attaches with its capacities", () => {
  assert.throws(() => Store.attach(new ArrayBuffer(65_536)), { code: "EINVAL" });
  const { store } = makeShared();
  const attached = Store.attach(store.buffer);
  assert.deepEqual(attached.capacities, store.capacities);
  assert.equal(attached.destinations.length, 17 * DESTINATION_WORDS);
});

Deno.test("shared: a fork knows the asked connection from whatever thread holds it, and leaves that thread alone", () => {
  const { store, director, service } = makeShared();
  const worker = makeDirector({ store, workerIndex: 1 });
  director.attachConnections(1, worker.connectionMemory);
  const random = new SeededRandom(1);
  const flow = () => tcp("192.0.2.7:40000");
  const held = worker.segment(flow(), DIRECTION.input, SYN, 0, 0);
  assert.equal(held.action, ACTION.forward);
  const { destination: bound } = held;
  const before = new Uint8Array(worker.connectionMemory).slice();
  for (let asked = 0; asked < 2; asked++) {
    const verdict = director.fork(random, flow()).segment(flow(), DIRECTION.input, SYN, 0, 1);
    assert.deepEqual([verdict.isNew, verdict.destination], [false, bound]);
    assert.equal(director.fork(random).segment(flow(), DIRECTION.input, SYN, 0, 1).isNew, true);
  }
  const answer = director.fork(random, reversed(flow()));
  assert.equal(answer.segment(flow(), DIRECTION.output, SYN, 0, 1).action, ACTION.forward);
  answer.advance(10 ** 7);
  assert.deepEqual(
    answer.destinationViews(service).map(counts),
    new Array(5).fill([0, 0, 0]),
    "it ends by its timer",
  );
  assert.deepEqual(new Uint8Array(worker.connectionMemory), before);
});
