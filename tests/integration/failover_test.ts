/** A real server dies under load: it is marked down in time, and from then on no client notices. */
import assert from "node:assert/strict";
import type { Status } from "../../admin/source.ts";
import { freePort } from "../peers/free_port.ts";
import { LvsdProcess } from "../peers/lvsd_process.ts";
import { startHttpProcess } from "./echo_servers.ts";

const FALL = 3;
const INTERVAL_MS = 500;
const TIMEOUT_MS = 500;
/** What the machine's own scheduling may add before the status shows it. */
const LOOKING_MS = 250;

Deno.test("failover: kill -9 of one of three under load", async () => {
  await using stack = new AsyncDisposableStack();
  const servers = [];
  for (let i = 0; i < 3; i++) servers.push(stack.use(await startHttpProcess()));
  const port = await freePort();
  const lvsd = stack.use(
    await LvsdProcess.start({
      log: { level: "warning", connections: false },
      services: [{
        name: "web",
        listen: `127.0.0.1:${port}`,
        scheduler: "rr",
        healthCheck: {
          type: "http",
          interval: `${INTERVAL_MS}ms`,
          timeout: `${TIMEOUT_MS}ms`,
          fall: FALL,
          initialState: "up",
        },
        destinations: servers.map((it, i) => ({ name: `web-${i}`, address: `127.0.0.1:${it.port}` })),
      }],
    }),
  );
  const errorsMs: number[] = [];
  let requests = 0;
  let running = true;
  const load = Promise.all(Array.from({ length: 20 }, async () => {
    while (running) {
      requests++;
      await request(port).catch(() => errorsMs.push(performance.now()));
    }
  }));
  const stateOf = async () => {
    const status: Status = JSON.parse(await lvsd.ask("/status"));
    return status.services[0]?.destinations[1]?.state;
  };
  await waitUntil(() => requests > 200);
  const killedMs = performance.now();
  servers[1]?.kill("SIGKILL");
  while (await stateOf() !== "down") assert.ok(performance.now() - killedMs < 10_000, "never marked down");
  const downMs = performance.now();
  const requestsAtDown = requests;
  await waitUntil(() => requests > requestsAtDown + 1_000);
  running = false;
  await load;
  const tookMs = downMs - killedMs;
  assert.ok(tookMs <= FALL * INTERVAL_MS + TIMEOUT_MS + LOOKING_MS, `marked down after ${tookMs} ms`);
  const late = errorsMs.filter((ms) => ms > downMs).length;
  assert.equal(late, 0, `${late} client errors after it was marked down`);
});

async function request(port: number): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
  const buffer = new Uint8Array(4_096);
  const length = await connection.read(buffer);
  if (length === null || !new TextDecoder().decode(buffer.subarray(0, length)).startsWith("HTTP/1.1 200")) {
    throw new Error("no answer");
  }
}

/** Looks again whenever other work of this process had its turn. */
async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 0));
}
