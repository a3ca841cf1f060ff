/** The peers themselves: each starts, answers, and leaves nothing behind. */
import assert from "node:assert/strict";
import { startDnsmasq } from "./dnsmasq.ts";
import { startHaproxy } from "./haproxy.ts";
import { startIperf3 } from "./iperf3.ts";
import { startNginx } from "./nginx.ts";
import { startPen } from "./pen.ts";
import { PeerProcess } from "./peer_process.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import { definePeerTest, peerTest } from "./required_peers.ts";

/** Standard output of a command that must succeed. */
async function output(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

peerTest("peers: nginx answers, and is gone after its block", ["nginx"], async () => {
  let left: PeerProcess;
  {
    await using nginx = await startNginx({
      http: (port) => `server { listen 127.0.0.1:${port}; location / { return 200 "hello\\n"; } }`,
    });
    assert.equal(await (await fetch(`http://127.0.0.1:${nginx.port}/`)).text(), "hello\n");
    assert.ok(nginx.residentBytes() > 1_000_000);
    left = nginx;
  }
  await assert.rejects(() => Deno.connect({ port: left.port }), Deno.errors.ConnectionRefused);
  assert.equal(exists(left.directory), false);
  assert.equal(exists(`/proc/${left.pid}`), false);
});

peerTest("peers: haproxy, nginx stream and pen forward to nginx", ["nginx", "haproxy", "pen"], async () => {
  await using server = await startNginx({
    http: (port) => `server { listen 127.0.0.1:${port}; location / { return 200 "hello\\n"; } }`,
  });
  await using stream = await startNginx({
    stream: (port) => `server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${server.port}; }`,
  });
  await using haproxy = await startHaproxy((port) =>
    `defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen l
  bind 127.0.0.1:${port}
  server s 127.0.0.1:${server.port}
`
  );
  await using pen = await startPen(server.port, 100);
  for (const { port } of [stream, haproxy, pen]) {
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "hello\n");
  }
});

peerTest("peers: redis answers", ["redis-server", "redis-cli"], async () => {
  await using redis = await startRedis();
  assert.equal(await output("redis-cli", "-p", `${redis.port}`, "ping"), "PONG\n");
});

peerTest("peers: postgres answers", ["initdb", "postgres", "pgbench", "setpriv"], async () => {
  await using postgres = await startPostgres();
  const at = ["-h", "127.0.0.1", "-p", `${postgres.port}`, "-U", "postgres"];
  assert.equal(await output("psql", ...at, "-Atc", "select 6 * 7"), "42\n");
});

peerTest("peers: dnsmasq answers over UDP and TCP", ["dnsmasq", "dig"], async () => {
  await using dnsmasq = await startDnsmasq({ "www.example.test": "192.0.2.1" });
  const question = ["@127.0.0.1", "-p", `${dnsmasq.port}`, "+short", "www.example.test"];
  assert.equal(await output("dig", ...question), "192.0.2.1\n");
  assert.equal(await output("dig", "+tcp", ...question), "192.0.2.1\n");
});

peerTest("peers: iperf3 measures", ["iperf3"], async () => {
  await using iperf3 = await startIperf3();
  const report = await output("iperf3", "-c", "127.0.0.1", "-p", `${iperf3.port}`, "-n", "1M", "-J");
  // Not sum_received: the last bytes may still be on their way when the server counts.
  assert.ok(JSON.parse(report).end.sum_sent.bytes >= 1_000_000);
});

Deno.test({
  name: "peers: a peer that ends at once fails the start, with what it printed",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const start = PeerProcess.start(() => ({
      command: "sh",
      args: ["-c", "echo cannot bind; exit 1"],
      ready: "accepts",
    }));
    await assert.rejects(start, /not ready \(ended\)[^]*cannot bind/);
  },
});

Deno.test({
  name: "peers: one that ignores SIGTERM is killed",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const peer = await PeerProcess.start(() => ({
      command: "sh",
      args: ["-c", "trap '' TERM; echo here; while :; do sleep 0.1; done"],
      ready: { line: /here/ },
    }));
    const { signal } = (await Promise.all([peer.ended, peer.stop(100)]))[0];
    assert.equal(signal, "SIGKILL");
  },
});

Deno.test("peers: a missing peer fails the test under CI, and skips it elsewhere with the reason", () => {
  const test = () => {};
  assert.deepEqual(definePeerTest("a", test, [], true), { name: "a", fn: test });
  const skipped = definePeerTest("a", test, ["wrk", "curl"], false);
  assert.equal(skipped.ignore, true);
  assert.equal(skipped.name, "a (skipped: wrk, curl not found; apt-get install wrk curl)");
  const failing = definePeerTest("a", test, ["wrk"], true);
  assert.notEqual(failing.ignore, true);
  assert.throws(() => failing.fn(undefined as never), /wrk not found; apt-get install wrk/);
});
