/**
 * `clientAddress: transparent` in namespaces: the real servers' logs show the client, over IPv4 and IPv6 and for a server on the
 * director itself; the host is set up, and left as it was, also after a kill.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inside, must, run } from "../../scripts/lab/command.ts";
import { missingForLab } from "../../scripts/lab/needs.ts";
import { accessLog, startServers } from "../../scripts/lab/servers.ts";
import { ADDRESS, buildTopology, namespaceOf, removeTopology } from "../../scripts/lab/topology.ts";
import type { Diagnosis } from "../../doctor/finding.ts";
import { eventually } from "./eventually.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const reason = await missingForLab() ??
  ((await run(["sh", "-c", "command -v nft"])).code === 0 ? undefined : "nft is not installed");
const isPromised = Deno.env.get("CI") === "true";

const CONFIG = {
  log: { connections: false },
  services: [
    {
      name: "web4",
      listen: `${ADDRESS.virtual4}:80`,
      destinations: ["172.16.0.11:8080", "172.16.0.12:8080"],
    },
    {
      name: "web6",
      listen: `[${ADDRESS.virtual6}]:80`,
      destinations: ["[fd00:2::11]:8080", "[fd00:2::12]:8080"],
    },
    { name: "own4", listen: `${ADDRESS.virtual4}:81`, destinations: ["127.0.0.1:9090"] },
    { name: "own6", listen: `[${ADDRESS.virtual6}]:81`, destinations: ["[::1]:9090"] },
  ].map((it) => ({ ...it, scheduler: "rr", clientAddress: "transparent", healthCheck: "off" })),
};

/** Addresses of a host that is gateway and director in one. */
const DIRECTOR_ADDRESSES = [
  ["10.1.0.1/24", "d0"],
  [`${ADDRESS.virtual4}/32`, "d0"],
  ["172.16.0.1/24", "d1"],
  ["fd00:1::1/64", "d0"],
  [`${ADDRESS.virtual6}/128`, "d0"],
  ["fd00:2::1/64", "d1"],
] as const;

function onDirector(...words: string[]): string[] {
  return inside(namespaceOf("director"), words);
}

function lvsd(...words: string[]): string[] {
  return onDirector(Deno.execPath(), "run", "-A", MAIN, ...words);
}

/** Rules, routes and nftables of the director. */
async function hostState(): Promise<string> {
  const looks = ["ip -4 rule", "ip -6 rule", "ip -4 route show table all", "ip -6 route show table all"]
    .map((it) => it.split(" "));
  const all = await Promise.all([...looks, ["nft", "list", "ruleset"]].map((it) => must(onDirector(...it))));
  return all.join("\n---\n");
}

/** What a client is answered: the server's name, and the address that the server saw. */
async function asked(at: string, times = 1): Promise<string[]> {
  const urls = Array.from({ length: times }, () => `http://${at}/who`);
  const { stdout } = await run(
    inside(namespaceOf("client"), ["curl", "-s", "-g", "--max-time", "5", ...urls]),
  );
  return stdout.trim().split("\n").filter((it) => it !== "");
}

async function startDirector(config: string): Promise<Deno.ChildProcess> {
  const [program = "", ...args] = lvsd("run", "--setup-network", "-c", config);
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "inherit" }).spawn();
  await eventually("the first answer", async () => (await asked(`${ADDRESS.virtual4}:80`)).length === 1);
  return child;
}

async function findings(config: string): Promise<readonly { readonly id: string; readonly mend: string }[]> {
  const { stdout } = await run(lvsd("doctor", "-c", config, "--json"));
  const { services } = JSON.parse(stdout) as Diagnosis;
  return (services[0]?.findings ?? []).filter((it) => it.id.startsWith("transparent-"));
}

async function startOwnServer(folder: string): Promise<void> {
  const path = join(folder, "own.conf");
  await Deno.writeTextFile(
    path,
    `user root; worker_processes 1; pid ${folder}/own.pid; error_log ${folder}/own.error.log;
events { worker_connections 256; }
http { access_log ${accessLog(folder, "own")} combined; keepalive_timeout 0;
  server { listen 127.0.0.1:9090; listen [::1]:9090; location /who { return 200 "own $remote_addr\\n"; } } }
`,
  );
  await must(onDirector("nginx", "-c", path));
}

async function assertServed(): Promise<void> {
  const [virtual4, virtual6] = [ADDRESS.virtual4, `[${ADDRESS.virtual6}]`];
  const [client4, client6] = [ADDRESS.client4, ADDRESS.client6];
  const answers = await Promise.all([
    asked(`${virtual4}:80`, 20),
    asked(`${virtual6}:80`, 20),
    asked(`${virtual4}:81`, 4),
    asked(`${virtual6}:81`, 4),
  ]);
  const seen = answers.map((it) => [...new Set(it)].sort());
  assert.deepEqual(seen, [
    [`rs1 ${client4}`, `rs2 ${client4}`],
    [`rs1 ${client6}`, `rs2 ${client6}`],
    [`own ${client4}`],
    [`own ${client6}`],
  ]);
  assert.deepEqual(answers.map((it) => it.length), [20, 20, 4, 4]);
}

async function proveTransparency(folder: string): Promise<void> {
  const config = join(folder, "lvsd.json");
  const admin = { listen: "off", socket: join(folder, "control") };
  await Deno.writeTextFile(config, JSON.stringify({ ...CONFIG, admin }));
  await eventually("every address of the director is settled", async () => {
    return !(await must(onDirector("ip", "-6", "addr"))).includes("tentative");
  });
  const before = await hostState();
  const missing = await findings(config);
  assert.deepEqual(missing.map((it) => it.id), [
    "transparent-route-4",
    "transparent-rule-4",
    "transparent-loopback-4",
    "transparent-route-6",
    "transparent-rule-6",
    "transparent-loopback-6",
    "transparent-mark",
  ]);
  for (const { mend } of missing) await must(onDirector("sh", "-c", mend));
  assert.deepEqual(await findings(config), []);

  const killed = await startDirector(config);
  await assertServed();
  const log = await Deno.readTextFile(accessLog(folder, "rs1"));
  const clients = new Set(log.trim().split("\n").map((it) => it.split(" ")[0]));
  assert.deepEqual([...clients].sort(), [ADDRESS.client4, ADDRESS.client6].sort());
  killed.kill("SIGKILL");
  await killed.status;
  assert.notEqual(await hostState(), before, "a kill leaves them");

  const ended = await startDirector(config);
  await assertServed();
  ended.kill("SIGTERM");
  await ended.status;
  assert.equal(await hostState(), before);

  // Either capability would do.
  const poor = ["timeout", "30", "setpriv", "--bounding-set=-net_admin,-net_raw"];
  const unable = await run(onDirector(...poor, Deno.execPath(), "run", "-A", MAIN, "run", "-c", config));
  assert.match(unable.stderr, /clientAddress: transparent .* lacks CAP_NET_ADMIN or CAP_NET_RAW/);
  assert.equal(await hostState(), before);
}

Deno.test({
  name: `clientAddress: transparent: the real servers see their clients${
    reason === undefined || isPromised ? "" : ` (skipped: ${reason})`
  }`,
  ignore: reason !== undefined && !isPromised,
  async fn() {
    assert.equal(reason, undefined);
    const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
    Deno.env.set("LVSD_LAB", `lvsd${Deno.pid}c`);
    try {
      await must(["chmod", "755", folder]);
      await buildTopology("nat");
      for (const [address, device] of DIRECTOR_ADDRESSES) {
        const options = address.includes(":") ? ["nodad"] : [];
        await must(onDirector("ip", "addr", "add", address, "dev", device, ...options));
      }
      await startServers("nat", folder);
      await startOwnServer(folder);
      await proveTransparency(folder);
    } finally {
      await removeTopology();
      Deno.env.delete("LVSD_LAB");
      await Deno.remove(folder, { recursive: true });
    }
  },
});
