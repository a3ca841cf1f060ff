/** A thread that sends to a port as fast as it can, from many sockets; run as a worker. */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

interface FloodOrder {
  readonly port: number;
  readonly sockets: number;
  readonly bytes: number;
  readonly forMs: number;
}

/** Datagrams between two looks at the time. */
const BURST = 64;

async function flood({ port, sockets, bytes, forMs }: FloodOrder): Promise<number> {
  const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
  const datagram = crypto.getRandomValues(new Uint8Array(bytes));
  const open = Array.from(
    { length: sockets },
    () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }),
  );
  const endMs = performance.now() + forMs;
  let sent = 0;
  while (performance.now() < endMs) {
    for (let i = 0; i < BURST; i++) await open[sent++ % sockets]?.send(datagram, to);
  }
  for (const socket of open) socket.close();
  return sent;
}

if (!isMainThread) parentPort?.postMessage(await flood(workerData));

/** Floods from another thread; resolves with the number of datagrams sent. */
export async function floodFromThread(order: FloodOrder): Promise<number> {
  const worker = new Worker(new URL(import.meta.url), { workerData: order });
  const [sent] = await once(worker, "message");
  await worker.terminate();
  return sent;
}
