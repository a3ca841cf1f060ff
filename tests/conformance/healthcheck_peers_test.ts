/**
 * Check types against the servers that people run: nginx, dnsmasq and Redis.
 */
import assert from "node:assert/strict";
import { SystemClock } from "../../clock.ts";
import type { CheckResult } from "../../healthcheck/check.ts";
import { CheckRun } from "../../healthcheck/check_run.ts";
import { SystemDialer } from "../../healthcheck/dialer.ts";
import { type CheckOptions, makeCheck } from "../../healthcheck/make_check.ts";
import { type HealthChange, Monitor } from "../../healthcheck/monitor.ts";
import { IpAddress } from "../../net/address.ts";
import { SeededRandom } from "../../net/random.ts";
import { startDnsmasq } from "../peers/dnsmasq.ts";
import { startNginx } from "../peers/nginx.ts";
import { startRedis } from "../peers/redis.ts";
import { peerTest } from "../peers/required_peers.ts";
import { CERTIFICATE, KEY } from "./healthcheck/tcp_servers.ts";

const clock = new SystemClock();
const GET: CheckOptions & { type: "http" | "https" } = {
  type: "http",
  method: "GET",
  path: "/",
  headers: {},
  status: [{ from: 200, to: 299 }],
  verify: false,
};

async function check(options: CheckOptions, port: number, address = "127.0.0.1"): Promise<CheckResult> {
  using dialer = new SystemDialer(clock);
  const told = Promise.withResolvers<CheckResult>();
  const target = { address: IpAddress.parse(address), port };
  const run = new CheckRun(
    { check: makeCheck(options), target, timeoutMs: 10_000, clock, dialer },
    told.resolve,
  );
  await run.ended;
  return await told.promise;
}

/** `up: detail` or `reason: detail`. */
function text(result: CheckResult): string {
  return `${result.up ? "up" : result.reason}: ${result.detail}`;
}

peerTest(
  "http: nginx chooses its site by Host, answers in chunks, redirects and HEAD",
  ["nginx"],
  async () => {
    await using nginx = await startNginx({
      http: (port) => `
      server { listen 127.0.0.1:${port} default_server; return 404; }
      server {
        listen 127.0.0.1:${port}; server_name app.test;
        location = /ready { default_type text/plain; return 200 "ready\\n"; }
        # sub_filter makes the length unknown, so nginx answers in chunks.
        location = /chunked { default_type text/html; sub_filter xyzzy ready; sub_filter_once on; return 200 "xyzzy\\n"; }
        location = /old { return 301 /ready; }
        location = /teapot { return 418; }
      }`,
    });
    const app = { ...GET, host: "app.test" };
    const ready = { ...app, body: /^ready$/m };
    assert.equal(
      text(await check({ ...ready, path: "/ready" }, nginx.port)),
      "up: HTTP 200 OK, body matches",
    );
    assert.equal(
      text(await check({ ...ready, path: "/chunked" }, nginx.port)),
      "up: HTTP 200 OK, body matches",
    );
    assert.match(
      text(await check({ ...GET, path: "/ready" }, nginx.port)),
      /^status: "HTTP 404 Not Found", not 200-299/,
    );
    assert.match(
      text(await check({ ...app, path: "/old" }, nginx.port)),
      /^status: "HTTP 301 .*" to "http:.*\/ready"/,
    );
    assert.match(text(await check({ ...app, method: "HEAD", path: "/ready" }, nginx.port)), /^up: HTTP 200/);
    const teapot = { ...app, path: "/teapot", status: [{ from: 200, to: 200 }, { from: 418, to: 418 }] };
    assert.match(text(await check(teapot, nginx.port)), /^up: HTTP 418/);
    assert.match(text(await check({ ...GET, type: "https" }, nginx.port)), /^(tls|reset|closed): /);
  },
);

peerTest("https: nginx with a self-signed certificate, chosen by SNI", ["nginx"], async () => {
  await using nginx = await startNginx({
    http: (port, directory) => {
      Deno.writeTextFileSync(`${directory}/certificate.pem`, CERTIFICATE);
      Deno.writeTextFileSync(`${directory}/key.pem`, KEY);
      return `
        ssl_certificate ${directory}/certificate.pem;
        ssl_certificate_key ${directory}/key.pem;
        server { listen 127.0.0.1:${port} ssl default_server; return 200 "sni=$ssl_server_name\\n"; }`;
    },
  });
  const https = { ...GET, type: "https" as const };
  assert.match(text(await check({ ...https, host: "app.test", body: /sni=app\.test\n/ }, nginx.port)), /^up/);
  assert.match(
    text(await check({ ...https, serverName: "x.test", body: /sni=x\.test\n/ }, nginx.port)),
    /^up/,
  );
  assert.match(text(await check({ ...https, body: /sni=\n/ }, nginx.port)), /^up/);
  assert.match(
    text(await check({ ...https, host: "app.test", verify: true }, nginx.port)),
    /^tls: .*self-signed/,
  );

  // The system's authorities are read once in a process, so a system that trusts this certificate is another process.
  const trusting = async (serverName: string): Promise<string> => {
    const probe = new URL("./healthcheck/verify_probe.ts", import.meta.url);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", probe.pathname, `${nginx.port}`, serverName],
      env: { SSL_CERT_FILE: new URL("../fixtures/healthcheck/certificate.pem", import.meta.url).pathname },
      stderr: "inherit",
    }).output();
    return new TextDecoder().decode(stdout);
  };
  assert.match(await trusting("app.test"), /^up: HTTP 200/);
  assert.match(await trusting("other.test"), /^tls: /);
});

peerTest(
  "udp: dnsmasq answers a real DNS query, and a name it does not know is a wrong answer",
  ["dnsmasq"],
  async () => {
    await using dnsmasq = await startDnsmasq({ "www.example.test": "192.0.2.1" });
    // The question, the same id, "response", no error, and the address at the end of the one answer.
    const expect = new RegExp(
      String.raw`^\x12\x34[\x80-\xff][\x00\x80][^]*\x03www\x07example\x04test[^]*\xc0\x00\x02\x01$`,
    );
    const query = dnsQuery("www.example.test");
    assert.match(text(await check({ type: "udp", send: query, expect }, dnsmasq.port)), /^up: answered/);
    const unknown = { type: "udp" as const, send: dnsQuery("nobody.example.test"), expect };
    assert.match(text(await check(unknown, dnsmasq.port)), /^answer: /);
    assert.match(text(await check({ type: "udp", send: query }, dnsmasq.port)), /^up: answered/);
  },
);

peerTest("tcp and exec: Redis, by a connect and by PING", ["redis-server", "redis-cli"], async () => {
  const redis = await startRedis();
  // `-e`: an error answer is an error for the exit code too.
  const script = '[ "$(redis-cli -e -h "$LVSD_ADDRESS" -p "$LVSD_PORT" ping)" = PONG ]';
  const ping: CheckOptions = { type: "exec", command: ["/bin/sh", "-c", script], environment: {} };
  try {
    assert.equal(text(await check({ type: "tcp" }, redis.port)), "up: connected");
    assert.equal(text(await check(ping, redis.port)), "up: exit 0");
  } finally {
    await redis.stop();
  }
  assert.match(text(await check({ type: "tcp" }, redis.port)), /^refused: /);
  assert.match(text(await check(ping, redis.port)), /^exit-code: exit 1: "Could not connect/);
});

peerTest(
  "monitor: nginx killed with -9 is down within fall x interval + timeout, and up again when it is back",
  ["nginx"],
  async () => {
    const timing = {
      intervalMs: 100,
      fastIntervalMs: 50,
      downIntervalMs: 50,
      timeoutMs: 500,
      rise: 2,
      fall: 3,
      initialState: "down",
    } as const;
    const next: ((change: HealthChange) => void)[] = [];
    const nextChange = () => new Promise<HealthChange>((resolve) => next.push(resolve));
    using dialer = new SystemDialer(clock);
    const monitor = new Monitor<string>({
      clock,
      random: new SeededRandom(1),
      dialer,
      onChange: (_, change) => next.shift()?.(change),
    });
    const nginx = await startNginx({
      http: (port) => `server { listen 127.0.0.1:${port}; return 200 "up\\n"; }`,
    });
    const target = { address: IpAddress.parse("127.0.0.1"), port: nginx.port };
    try {
      const up = nextChange();
      monitor.add("nginx", { target, group: "web", active: { check: makeCheck(GET), timing } });
      assert.equal((await up).reason, "check-passed");
      const down = nextChange();
      // The worker too: it outlives its master and goes on serving.
      const workers = await childrenOf(nginx.pid);
      nginx.kill("SIGKILL");
      for (const worker of workers) Deno.kill(worker, "SIGKILL");
      const killedMs = clock.nowMs();
      const change = await down;
      const tookMs = clock.nowMs() - killedMs;
      assert.equal(change.reason, "refused");
      assert.ok(tookMs <= timing.fall * timing.intervalMs + timing.timeoutMs, `${tookMs} ms`);

      const back = nextChange();
      const listener = Deno.serve(
        { hostname: "127.0.0.1", port: nginx.port, onListen: () => {} },
        () => new Response("up"),
      );
      assert.equal((await back).to, "up");
      await monitor.stop();
      await listener.shutdown();
    } finally {
      await monitor.stop();
      await nginx.stop();
    }
  },
);

/** A DNS query for an address (type A, class IN) with the id 0x1234 and "recursion desired". */
function dnsQuery(name: string): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  return Uint8Array.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
  return text.split(" ").filter((it) => it !== "").map(Number);
}
