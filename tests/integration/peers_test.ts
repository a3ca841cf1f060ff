/**
 * Real programs through lvsd, each with its own client: nothing lost, nothing wrong. lvsd is a process of its own, as a user
 * starts it, and its status has to show that the traffic went through it.
 */
import assert from "node:assert/strict";
import { parseWrk } from "../../bench/client.ts";
import { startDnsmasq } from "../peers/dnsmasq.ts";
import { LvsdProcess } from "../peers/lvsd_process.ts";
import { startNginx } from "../peers/nginx.ts";
import { startPostgres } from "../peers/postgres.ts";
import { startRedis } from "../peers/redis.ts";
import { peerTest } from "../peers/required_peers.ts";
import { hashOf, PatternedBytes } from "./patterned_bytes.ts";

/** lvsd with one service for each protocol before one real server, on free ports. */
function startBefore(port: number, ...protocols: ("tcp" | "udp")[]): Promise<LvsdProcess> {
  const services = protocols.map((protocol) => ({
    name: protocol,
    protocol,
    listen: "127.0.0.1:0",
    scheduler: "rr",
    destinations: [`127.0.0.1:${port}`],
  }));
  return LvsdProcess.start({ services, log: { connections: false } });
}

/** Both outputs of a command that must succeed. */
async function run(command: string, ...args: readonly (string | number)[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: args.map(String) }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.ok(success, `${command}: ${text}`);
  return text;
}

/** At least so many connections went through the service, and none was refused or dropped. */
async function assertCarried(lvsd: LvsdProcess, name: string, connections: number): Promise<void> {
  const { counters, drops } = await lvsd.service(name);
  assert.ok(counters.connections >= connections, `${counters.connections} connections, not ${connections}`);
  assert.deepEqual(Object.entries(drops).filter(([, count]) => count > 0), []);
}

peerTest(
  "redis-benchmark through lvsd: no errors",
  ["redis-server", "redis-benchmark", "redis-cli"],
  async () => {
    await using redis = await startRedis();
    await using lvsd = await startBefore(redis.port, "tcp");
    const at = ["-h", "127.0.0.1", "-p", await lvsd.portOf()];
    const load = ["-c", 50, "-q", "-t", "ping,set,get,lpush,lrange_100,mset"];
    const plain = await run("redis-benchmark", ...at, ...load, "-n", 5_000, "-d", 1_000, "-r", 1_000);
    const pipelined = await run("redis-benchmark", ...at, ...load, "-n", 20_000, "-P", 16);
    assert.doesNotMatch(plain + pipelined, /error/i);
    const statistics = await run("redis-cli", ...at, "info", "stats");
    assert.match(statistics, /^total_error_replies:0\r$/m);
    const commands = Number(/^total_commands_processed:(\d+)/m.exec(statistics)?.[1]);
    assert.ok(commands >= 6 * 25_000, `redis saw ${commands} commands`);
    await assertCarried(lvsd, "tcp", 2 * 6 * 50);
  },
);

peerTest("pgbench through lvsd: no errors", ["initdb", "postgres", "pgbench", "setpriv"], async () => {
  await using postgres = await startPostgres();
  await using lvsd = await startBefore(postgres.port, "tcp");
  const at = ["-h", "127.0.0.1", "-p", await lvsd.portOf(), "-U", "postgres"];
  await run("pgbench", ...at, "-i", "-q", "postgres");
  const kept = await run("pgbench", ...at, "-c", 8, "-t", 100, "postgres");
  const fresh = await run("pgbench", ...at, "-C", "-S", "-c", 4, "-t", 25, "postgres");
  for (const [report, transactions] of [[kept, 800], [fresh, 100]] as const) {
    assert.match(report, new RegExp(`actually processed: ${transactions}/${transactions}$`, "m"));
    assert.match(report, /number of failed transactions: 0 /);
  }
  await assertCarried(lvsd, "tcp", 8 + 100);
});

peerTest("nginx and wrk through lvsd: no errors", ["nginx", "wrk"], async () => {
  await using nginx = await startNginx({
    http: (port) => `server { listen 127.0.0.1:${port}; location / { return 200 "hello\\n"; } }`,
  });
  await using lvsd = await startBefore(nginx.port, "tcp");
  const url = `http://127.0.0.1:${await lvsd.portOf()}/`;
  const kept = parseWrk(await run("wrk", "-t1", "-c50", "-d2s", url));
  const fresh = parseWrk(await run("wrk", "-t1", "-c50", "-d2s", "-H", "Connection: close", url));
  for (const { value, errors } of [kept, fresh]) {
    assert.equal(errors, 0);
    assert.ok(value > 100, `${value} answers a second`);
  }
  await assertCarried(lvsd, "tcp", 2 * fresh.value * 0.9);
});

peerTest(
  "1,000 clients that ask all the time: the portable engine serves each of them",
  ["nginx", "wrk"],
  async () => {
    await using nginx = await startNginx({
      connections: 4_096,
      http: (port) => `server { listen 127.0.0.1:${port}; location / { return 200 "hello\\n"; } }`,
    });
    const web = {
      name: "web",
      listen: "127.0.0.1:0",
      scheduler: "rr",
      engine: "portable",
      destinations: [`127.0.0.1:${nginx.port}`],
    };
    await using lvsd = await LvsdProcess.start({ services: [web], log: { connections: false } });
    // Those that are accepted first must not keep the others out: without breaks hundreds wait until the load is over.
    for (let round = 0; round < 3; round++) {
      const url = `http://127.0.0.1:${await lvsd.portOf()}/`;
      assert.equal(parseWrk(await run("wrk", "-t1", "-c1000", "-d5s", "--timeout", "4s", url)).errors, 0);
    }
    await assertCarried(lvsd, "web", 3_000);
  },
);

peerTest(
  "1,000 dig to dnsmasq through lvsd, over UDP and over TCP: none lost",
  ["dnsmasq", "dig"],
  async () => {
    const numbers = Array.from({ length: 1_000 }, (_, i) => i);
    const names = numbers.map((i) => `n${i}.example.test`);
    const addresses = numbers.map((i) => `192.0.${i >> 8}.${i & 255}`);
    await using dnsmasq = await startDnsmasq(
      Object.fromEntries(names.map((name, i) => [name, addresses[i] ?? ""])),
    );
    await using lvsd = await startBefore(dnsmasq.port, "udp", "tcp");
    const directory = await Deno.makeTempDir({ prefix: "lvsd-dig-" });
    try {
      const batch = `${directory}/names`;
      await Deno.writeTextFile(batch, names.join("\n") + "\n");
      for (const [protocol, option] of [["udp", "+notcp"], ["tcp", "+tcp"]] as const) {
        const at = ["@127.0.0.1", "-p", await lvsd.portOf(protocol)];
        // One try each: an answer that was lost would be missing, not asked for again.
        const answers = await run("dig", ...at, "+short", "+tries=1", "+time=5", option, "-f", batch);
        assert.deepEqual(answers.trimEnd().split("\n"), addresses);
        // dig takes its UDP ports at random: one that comes again is the same session, one in some hundred here.
        await assertCarried(lvsd, protocol, protocol === "udp" ? 900 : 1_000);
        const { counters } = await lvsd.service(protocol);
        if (protocol === "udp") assert.equal(counters.packetsIn, 1_000);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);

const GIB = 2 ** 30;

peerTest("curl through lvsd, 1 GiB up and 1 GiB down: SHA-256 equal", ["curl"], async () => {
  const down = new PatternedBytes(GIB);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (request.method === "GET") return new Response(down.stream());
    return Response.json(await hashOf(request.body ?? new ReadableStream()));
  });
  await using _server = { [Symbol.asyncDispose]: () => server.shutdown() };
  await using lvsd = await startBefore(server.addr.port, "tcp");
  const url = `http://127.0.0.1:${await lvsd.portOf()}/`;
  const curl = (args: string[], stdin: "null" | "piped") =>
    new Deno.Command("curl", { args: ["-sS", "--fail", ...args, url], stdin, stdout: "piped" }).spawn();

  const download = curl([], "null");
  const received = await hashOf(download.stdout);
  assert.ok((await download.status).success);
  assert.deepEqual(received, { digest: down.digest(), bytes: GIB });

  const up = new PatternedBytes(GIB);
  const upload = curl(["-T", "-"], "piped");
  const [answer] = await Promise.all([
    new Response(upload.stdout).json(),
    up.stream().pipeTo(upload.stdin),
  ]);
  assert.ok((await upload.status).success);
  assert.deepEqual(answer, { digest: up.digest(), bytes: GIB });

  const { counters } = await lvsd.service();
  assert.ok(counters.bytesIn > GIB && counters.bytesOut > GIB, JSON.stringify(counters));
});
