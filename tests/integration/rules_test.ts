/** Rules in a real lvsd: curl from several addresses of the loopback network is let in, limited and refused. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { RulesStatus } from "../../admin/source.ts";
import { type LvsdConfig, LvsdProcess } from "../peers/lvsd_process.ts";
import { peerTest } from "../peers/required_peers.ts";
import { portOf, startEcho, startHttpProcess } from "./echo_servers.ts";

/** Exit codes of curl: a reset is seen by connect (7) or by the first read (56), whichever comes first; a FIN would be 52. */
const OUTCOMES: Readonly<Record<number, string>> = { 0: "served", 7: "reset", 56: "reset" };

/** curl from one address. */
async function curl(from: string, port: number): Promise<string> {
  const args = [
    "-sS",
    "-o",
    "/dev/null",
    "--max-time",
    "5",
    "--interface",
    from,
    `http://127.0.0.1:${port}/`,
  ];
  const { code } = await new Deno.Command("curl", { args, stderr: "null" }).output();
  return OUTCOMES[code] ?? `curl ended with ${code}`;
}

async function rulesOf(lvsd: LvsdProcess): Promise<RulesStatus> {
  return JSON.parse(await lvsd.ask("/rules"));
}

/** Packets of each rule of a chain. */
async function packets(lvsd: LvsdProcess, chain: string): Promise<readonly number[]> {
  const { chains } = await rulesOf(lvsd);
  return chains.find((it) => it.name === chain)?.rules.map((it) => it.packets) ?? [];
}

async function startWith(
  web: PromiseLike<{ port: number }>,
  rules: unknown,
  service = {},
): Promise<LvsdProcess> {
  return await LvsdProcess.start(await configOf(web, rules, service));
}

async function configOf(
  web: PromiseLike<{ port: number }>,
  rules: unknown,
  service = {},
): Promise<LvsdConfig> {
  const destinations = [`127.0.0.1:${(await web).port}`];
  const services = [{ name: "web", listen: "127.0.0.1:0", healthCheck: "off", destinations, ...service }];
  return { log: { level: "warning" }, drain: { deadline: "0s", spread: "0s" }, rules, services };
}

peerTest(
  "rules: a denied source is reset, every other one is served; counted in the rule, status and metrics",
  [
    "curl",
  ],
  async () => {
    await using stack = new AsyncDisposableStack();
    const web = Promise.resolve(stack.use(await startHttpProcess()));
    const lvsd = stack.use(
      await startWith(web, { input: [{ source: "127.0.0.66", target: "drop", comment: "scanner" }] }),
    );
    const port = await lvsd.portOf();
    assert.equal(await curl("127.0.0.1", port), "served");
    assert.equal(await curl("127.0.0.66", port), "reset");
    assert.deepEqual(await packets(lvsd, "INPUT"), [1]);
    const { ends } = await lvsd.service();
    assert.equal(ends["rule-drop"], 1);
    assert.equal((await lvsd.status()).drops["rule-drop"], 1);
    assert.match(
      await lvsd.ask("/metrics"),
      /^lvs_rule_packets_total\{chain="INPUT",rule="1",target="DROP",comment="scanner"\} 1$/m,
    );
    assert.match((await rulesOf(lvsd)).chains[0]?.rules[0]?.emulated ?? "", /reset/);
  },
);

peerTest(
  "rules: a limit per source lets a burst in and no more, another source has its own",
  ["curl"],
  async () => {
    await using stack = new AsyncDisposableStack();
    const web = Promise.resolve(stack.use(await startHttpProcess()));
    const limit = { rate: "1/day", burst: 2, per: "source" };
    const lvsd = stack.use(await startWith(web, { input: [{ service: "web", target: { limit } }] }));
    const port = await lvsd.portOf();
    const codes = async (
      from: string,
    ) => [await curl(from, port), await curl(from, port), await curl(from, port)];
    const twice = ["served", "served", "reset"];
    assert.deepEqual(await codes("127.0.0.1"), twice);
    assert.deepEqual(await codes("127.0.0.2"), twice);
  },
);

peerTest(
  "rules: a mark of PREROUTING is seen in INPUT, where the policy drops what has none",
  ["curl"],
  async () => {
    await using stack = new AsyncDisposableStack();
    const web = Promise.resolve(stack.use(await startHttpProcess()));
    const lvsd = stack.use(
      await startWith(web, {
        prerouting: [{ source: "127.0.0.7", target: { mark: "0x7/0xff" } }],
        input: { policy: "drop", chain: [{ mark: 7, target: { jump: "marked" } }] },
        chains: { marked: [{ target: "count" }, { protocol: "tcp", target: "accept" }] },
      }),
    );
    const port = await lvsd.portOf();
    assert.equal(await curl("127.0.0.7", port), "served");
    assert.equal(await curl("127.0.0.1", port), "reset");
    assert.deepEqual(await packets(lvsd, "marked"), [1, 1]);
    assert.equal((await rulesOf(lvsd)).chains.find((it) => it.name === "INPUT")?.packets, 1);
  },
);

peerTest("rules: a mark of PREROUTING chooses the service by firewall mark", ["curl"], async () => {
  await using stack = new AsyncDisposableStack();
  const web = stack.use(await startHttpProcess());
  const rules = { prerouting: [{ source: "127.0.0.7", target: { mark: 7 } }] };
  const { services, ...rest } = await configOf(Promise.resolve({ port: 1 }), rules);
  const marked = { name: "marked", mark: 7, listen: "off", healthCheck: "off" };
  const destinations = [`127.0.0.1:${web.port}`];
  const lvsd = stack.use(
    await LvsdProcess.start({ ...rest, services: [...services, { ...marked, destinations }] }),
  );
  const port = await lvsd.portOf("web");
  assert.equal(await curl("127.0.0.7", port), "served");
  assert.equal(await curl("127.0.0.1", port), "reset", "the real server of web is not there");
  assert.equal((await lvsd.service("marked")).counters.connections, 1);
});

peerTest("rules: allow and deny of a service hold although INPUT accepts", ["curl"], async () => {
  await using stack = new AsyncDisposableStack();
  const web = Promise.resolve(stack.use(await startHttpProcess()));
  const lists = { allow: ["127.0.0.0/29"], deny: ["127.0.0.3"] };
  const lvsd = stack.use(await startWith(web, { input: [{ target: "accept" }] }, lists));
  const port = await lvsd.portOf();
  assert.equal(await curl("127.0.0.2", port), "served");
  assert.equal(await curl("127.0.0.3", port), "reset");
  assert.equal(await curl("127.0.0.9", port), "reset");
  assert.deepEqual(await packets(lvsd, "SERVICES"), [1, 1]);
});

peerTest(
  "rules: a reload replaces them at once and keeps the counters of those that stay",
  ["curl"],
  async () => {
    await using stack = new AsyncDisposableStack();
    const web = Promise.resolve(stack.use(await startHttpProcess()));
    const deny = { source: "127.0.0.66", target: "drop" };
    const lvsd = stack.use(await startWith(web, { input: [deny] }));
    const port = await lvsd.portOf();
    assert.equal(await curl("127.0.0.66", port), "reset");
    const input = [{ source: "127.0.0.1", target: { reject: "icmp-host-unreachable" } }, deny];
    await lvsd.reload(await configOf(web, { input }));
    while ((await lvsd.status()).configGeneration < 2);
    assert.deepEqual(await packets(lvsd, "INPUT"), [0, 1]);
    assert.equal(await curl("127.0.0.1", port), "reset");
    assert.deepEqual((await lvsd.service()).ends["rule-reject"], 1);
    await lvsd.reload(await configOf(web, {}));
    while ((await lvsd.status()).configGeneration < 3);
    assert.equal(await curl("127.0.0.66", port), "served");
  },
);

const BEFORE_THEY_COUNT = {
  "no rules": {},
  "rules that did not count": { input: [{ source: "127.0.0.66", target: "drop" }] },
};

for (const [what, before] of Object.entries(BEFORE_THEY_COUNT)) {
  Deno.test(`rules: connectionsAbove counts live connections, those before the rule too, after ${what}`, async () => {
    await using stack = new AsyncDisposableStack();
    const echo = stack.use(await startEcho());
    const web = Promise.resolve({ port: portOf(echo.address) });
    const lvsd = stack.use(await startWith(web, before));
    const port = await lvsd.portOf();
    const open = async () => {
      try {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        stack.defer(() => connection.close());
        await connection.write(new TextEncoder().encode("hello"));
        return { connection, isServed: await connection.read(new Uint8Array(16)) === 5 };
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionReset) return { isServed: false };
        throw error;
      }
    };
    const first = await open();
    assert.ok(first.isServed);
    await lvsd.reload(await configOf(web, { input: [{ connectionsAbove: 2, target: "reject" }] }));
    while ((await lvsd.status()).configGeneration < 2);
    const second = await open();
    assert.ok(second.isServed);
    const third = await open();
    assert.equal(third.isServed, false);
    await first.connection?.closeWrite();
    while ((await lvsd.service()).liveConnections > 1);
    const fourth = await open();
    assert.ok(fourth.isServed);
  });
}

Deno.test("rules: a denied datagram is dropped in silence, and the next client is served", async () => {
  await using stack = new AsyncDisposableStack();
  const server = createSocket("udp4");
  server.on("message", (message, from) => server.send(message, from.port, from.address));
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  const web = Promise.resolve({ port: server.address().port });
  const lvsd = stack.use(
    await startWith(web, { input: [{ source: "127.0.0.66", target: "drop" }] }, { protocol: "udp" }),
  );
  const port = await lvsd.portOf();
  const ask = async (from: string) => {
    const client = createSocket("udp4");
    client.bind(0, from);
    await once(client, "listening");
    const answer = once(client, "message");
    client.send("hello", port, "127.0.0.1");
    return { client, answer };
  };
  const denied = await ask("127.0.0.66");
  const allowed = await ask("127.0.0.1");
  await allowed.answer;
  // Datagrams of one socket come in order: by now the denied one has been judged.
  assert.deepEqual(await packets(lvsd, "INPUT"), [1]);
  const { bytes } = (await rulesOf(lvsd)).chains[0]?.rules[0] ?? {};
  assert.equal(bytes, 5);
  assert.equal((await lvsd.service()).drops["rule-drop"], 1);
  denied.client.close();
  allowed.client.close();
});
