/** Reload while traffic flows: nobody is refused, nobody is dropped, no counter goes back. */
import assert from "node:assert/strict";
import { ControlClient } from "../../admin/client.ts";
import type { Status } from "../../admin/source.ts";
import { SystemClock } from "../../clock.ts";
import { freePort } from "../peers/free_port.ts";
import { type LvsdConfig, LvsdProcess } from "../peers/lvsd_process.ts";
import { EchoClient, startEcho } from "./echo_servers.ts";

const IS_PROOF = Deno.env.get("LVSD_PROOF") === "1";
const RELOADS = IS_PROOF ? 1_000 : 200;
const LIVE = 500;
const NEW_PER_SECOND = 300;
/** 200 reloads in 20 s. */
const RELOAD_EVERY_MS = 100;

function configFor(port: number, servers: readonly string[], round: number): LvsdConfig {
  // Each round changes weights, takes one destination out or brings it back, and changes an option.
  const present = servers.filter((_, i) => i === 0 || (round + i) % 3 !== 0);
  return {
    log: { level: "warning", connections: false },
    services: [{
      name: "echo",
      listen: `127.0.0.1:${port}`,
      scheduler: round % 2 === 0 ? "wlc" : "wrr",
      connectTimeout: `${2_000 + round}ms`,
      destinations: present.map((address, i) => ({ address, weight: 1 + (round + i) % 4 })),
    }],
  };
}

async function statusOf(lvsd: LvsdProcess): Promise<Status> {
  return JSON.parse(await lvsd.ask("/status"));
}

Deno.test("reload: 200 times under load, 0 refused, 0 dropped, counters never go back", async () => {
  await using stack = new AsyncDisposableStack();
  const servers: string[] = [];
  for (let i = 0; i < 3; i++) servers.push(stack.use(await startEcho()).address);
  const port = await freePort();
  const lvsd = stack.use(await LvsdProcess.start(configFor(port, servers, 0)));
  const live = await Promise.all(Array.from({ length: LIVE }, () => EchoClient.open(port)));
  stack.defer(() => live.forEach((it) => it.close()));
  await Promise.all(live.map((it) => it.exchange("hello")));

  const failures: unknown[] = [];
  let opened = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < NEW_PER_SECOND / 50; i++) {
      opened++;
      void EchoClient.open(port).then(async (client) => {
        await client.exchange("new");
        client.close();
      }).catch((error) => failures.push(error));
    }
  }, 20);
  let connections = 0;
  let generation = 1;
  try {
    for (let round = 1; round <= RELOADS; round++) {
      const nextMs = performance.now() + RELOAD_EVERY_MS;
      await lvsd.reload(configFor(port, servers, round));
      for (;;) {
        const status = await statusOf(lvsd);
        assert.equal(status.lastReload?.ok ?? true, true, status.lastReload?.message);
        const counted = status.services[0]?.counters.connections ?? 0;
        assert.ok(counted >= connections, `connections went back from ${connections} to ${counted}`);
        connections = counted;
        if (status.configGeneration > generation) {
          generation = status.configGeneration;
          break;
        }
      }
      const restMs = nextMs - performance.now();
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  } finally {
    clearInterval(timer);
  }
  assert.equal(generation, RELOADS + 1);
  await Promise.all(live.map((it) => it.exchange("still here")));
  const { ends, drops } = (await statusOf(lvsd)).services[0] ?? {};
  const told = JSON.stringify({ ends, drops });
  assert.equal(
    failures.length,
    0,
    `${failures.length} of ${opened} new connections failed: ${failures[0]}; ${told}`,
  );
  assert.equal(live.filter((it) => it.broken !== undefined).length, 0);
  assert.ok(
    opened > RELOADS * RELOAD_EVERY_MS / 1_000 * NEW_PER_SECOND / 2,
    `only ${opened} new connections were made`,
  );
});

Deno.test("reload: an address that cannot be opened is said by the one who asked", async () => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startEcho());
  const [port, taken] = [await freePort(), Deno.listen({ hostname: "127.0.0.1", port: 0 })];
  stack.defer(() => taken.close());
  const first = configFor(port, [server.address], 0);
  const lvsd = stack.use(await LvsdProcess.start(first));
  const listen = `127.0.0.1:${taken.addr.port}`;
  const more = { name: "late", listen, destinations: [server.address] };
  await lvsd.write({ ...first, services: [...first.services, more] });
  const outcome = await new ControlClient({ url: lvsd.adminUrl }, { clock: new SystemClock() }).reload();
  assert.equal(outcome.ok, true);
  assert.equal(outcome.message, "1 change applied");
  assert.match(
    outcome.changes.at(-1) ?? "",
    /^unbound, will be tried again: service "late": tcp .* is taken/,
  );
});

Deno.test("reload: a broken file changes nothing and says so", async () => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startEcho());
  const port = await freePort();
  const good = configFor(port, [server.address], 0);
  const lvsd = stack.use(await LvsdProcess.start(good));
  await lvsd.reload({ ...good, services: [{ listen: `127.0.0.1:${port}`, scheduler: "wcl" }] });
  let status = await statusOf(lvsd);
  while (status.lastReload === null) status = await statusOf(lvsd);
  assert.equal(status.lastReload.ok, false);
  assert.match(status.lastReload.message, /wcl.*did you mean "wlc"/s);
  assert.equal(status.configGeneration, 1);
  const client = await EchoClient.open(port);
  await client.exchange("works");
  client.close();
});
