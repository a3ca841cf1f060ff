/** One config with a NAT, a DR and a TUN service: real packets for root, by sockets for an ordinary user, and status says which. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { OWN_VARIABLES } from "../../daemon/permission_table.ts";
import { inside, run } from "../../scripts/lab/command.ts";
import { ADDRESS, namespaceOf } from "../../scripts/lab/topology.ts";
import { bundle } from "../../scripts/packaging/bundle.ts";
import { LabDaemon, labTest, lvsd, onHost, PACKET_SECTION } from "./lab_daemon.ts";

const PROOF = Deno.env.get("LVSD_PROOF") !== undefined;
const EXCHANGES = PROOF ? 1_000 : 50;
const NOBODY = 65_534;

/** How clients ask each service, which server answers, and the host's own address that a relay shows to it. */
const SERVICES = [
  { name: "nat", url: `http://${ADDRESS.virtual4}:8080/who`, server: "rs1", host: "172.16.0.2" },
  { name: "dr", url: `http://${ADDRESS.virtual4}/who`, server: "rs2", host: "172.16.0.2" },
  { name: "tun", url: `http://[${ADDRESS.virtual6}]/who`, server: "rs3", host: "fd00:2::2" },
] as const;

const CONFIG = {
  admin: { socket: "off" },
  packet: PACKET_SECTION,
  services: [
    {
      name: "nat",
      listen: `${ADDRESS.virtual4}:8080`,
      engine: "packet",
      destinations: ["172.16.0.11:80"],
    },
    { name: "dr", listen: `${ADDRESS.virtual4}:80`, mode: "dr", destinations: ["172.16.0.12"] },
    { name: "tun", listen: `[${ADDRESS.virtual6}]:80`, mode: "tun", destinations: ["[fd00:2::13]"] },
  ],
};

/** The same clients in both lives: a connection for each exchange; the server says who it is and whom it saw. */
async function exchangeAll(clientOf: (service: typeof SERVICES[number]) => string): Promise<void> {
  for (const service of SERVICES) {
    const urls = `${service.url}\n`.repeat(EXCHANGES);
    const curl = ["xargs", "-n", "50", "curl", "-s", "-g", "--fail-early", "--max-time", "5"];
    const { stdout } = await run(inside(namespaceOf("client"), curl), urls);
    const wanted = `${service.server} ${clientOf(service)}\n`.repeat(EXCHANGES);
    assert.equal(stdout, wanted, `${service.name}: 0 failed exchanges`);
  }
}

const TITLE = "one config: root forwards packets, an ordinary user relays, and status is truthful";
labTest(TITLE, "o", "tun", async (folder, t) => {
  const config = join(folder, "lvsd.yaml");
  await Deno.writeTextFile(config, JSON.stringify(CONFIG));
  // Replies of NAT go back through the director, those of the others past it.
  await onHost("rs1", `ip route replace 10.1.0.0/24 via ${ADDRESS.director4}`);
  await t.step("as root: real", async () => {
    await using daemon = await LabDaemon.start(lvsd("run", "-c", config));
    await daemon.ready();
    await exchangeAll(({ name }) => name === "tun" ? ADDRESS.client6 : ADDRESS.client4);
    for (const { engine, emulated, emulatedReason, counters } of (await daemon.status()).services) {
      assert.deepEqual([engine, emulated, emulatedReason], ["packet", false, ""]);
      assert.equal(counters.connections, EXCHANGES);
    }
    assert.doesNotMatch(daemon.log, /is emulated/);
  });
  await t.step("as an ordinary user: emulated, with the reason", () => asNobody(folder, config));
});

/** No root, no capability, no FFI: only the network, and reading of the file. */
async function asNobody(folder: string, config: string): Promise<void> {
  // What sockets need of the host: the virtual addresses, and ports from 80 on.
  await onHost("director", "sysctl -qw net.ipv4.ip_unprivileged_port_start=80");
  const { virtual4, virtual6 } = ADDRESS;
  await onHost("director", `ip addr add ${virtual4}/32 dev d0 && ip addr add ${virtual6}/128 dev d0 nodad`);
  await onHost("client", "ip neigh flush dev c0");
  await bundle(folder);
  await Deno.copyFile(Deno.execPath(), join(folder, "deno"));
  await Deno.chmod(join(folder, "deno"), 0o755);
  await using daemon = await LabDaemon.start([
    ...["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--no-new-privs"],
    ...["env", `DENO_DIR=${join(folder, "cache")}`],
    ...[join(folder, "deno"), "run", "--quiet", "--no-prompt", "--unstable-net", "--allow-net"],
    ...[
      `--allow-read=${config}`,
      "--allow-sys=uid,networkInterfaces",
      `--allow-env=${OWN_VARIABLES.join(",")}`,
    ],
    ...[join(folder, "lvsd.js"), "run", "-c", config],
  ]);
  await daemon.ready();
  await exchangeAll(({ host }) => host);
  for (const { name, engine, emulated, emulatedReason, counters } of (await daemon.status()).services) {
    assert.deepEqual([engine, emulated, counters.connections], ["portable", name !== "nat", EXCHANGES], name);
    if (name === "nat") continue;
    assert.match(emulatedReason, new RegExp(`^${name} needs the packet engine; .* why: .*--allow-ffi`));
    assert.match(daemon.log, new RegExp(`service "?${name}"? is emulated: .*--allow-ffi`));
    assert.match(
      await daemon.metrics(),
      new RegExp(`lvs_service_emulated\\{[^}]*service="${name}"[^}]*\\} 1`),
    );
  }
}
