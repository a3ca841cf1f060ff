/** Faults in a lab whose director works by sockets: NAT, accepted sockets handed over, a tunnel socket; and missing rights. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { inside, must, run } from "../../scripts/lab/command.ts";
import { ADDRESS, namespaceOf } from "../../scripts/lab/topology.ts";
import { bundle } from "../../scripts/packaging/bundle.ts";
import { RUNTIME_FLAGS } from "../../scripts/packaging/permissions.ts";
import { eventually } from "./eventually.ts";
import { LabDaemon, labTest, lvsd, onHost, PACKET_SECTION } from "./lab_daemon.ts";
import { findingsOn, installLvsd, type LabFault, type LabScene, mend, play } from "./lab_faults.ts";

const VIP = ADDRESS.virtual4;
const PEER = "172.16.0.12:7100";

/** URL of each service, and the server that answers. */
const SERVICES: Readonly<Record<string, { readonly url: string; readonly server: string }>> = {
  web: { url: `http://${VIP}`, server: "rs1" },
  web6: { url: `http://[${ADDRESS.virtual6}]`, server: "rs1" },
  handed: { url: `http://${VIP}:8082`, server: "rs1" },
  tunnelled: { url: `http://${VIP}:8083`, server: "rs2" },
};
/** Many clients at once, each for a while. */
const BURST = "burst";
const BURST_CLIENTS = 6;

function configOf(folder: string): Record<string, unknown> {
  const bare = { healthCheck: "off", passive: "off" };
  return {
    admin: { socket: "off" },
    services: [
      { ...bare, name: "web", listen: `${VIP}:80`, destinations: ["172.16.0.11:8080"] },
      { ...bare, name: "web6", listen: `[${ADDRESS.virtual6}]:80`, destinations: ["[fd00:2::11]:8080"] },
      {
        ...bare,
        name: "handed",
        mode: "dr",
        listen: `${VIP}:8082`,
        destinations: [{ address: "127.0.0.2", handOver: join(folder, "receiver.sock") }],
      },
      {
        ...bare,
        name: "tunnelled",
        mode: "tun",
        listen: `${VIP}:8083`,
        destinations: [{
          address: "172.16.0.12",
          tunnelTo: { port: 7_100, keyFile: join(folder, "tunnel.key") },
        }],
      },
    ],
  };
}

function faultsIn(folder: string): LabFault[] {
  const director = { at: "director", ask: "director" };
  return [
    { ...director, id: "receiver-missing", service: "handed", break: "true" },
    { ...director, id: "tunnel-peer", service: "tunnelled", break: "true" },
    { ...director, id: "key-open", service: "tunnelled", break: `chmod 644 ${folder}/tunnel.key` },
    { ...director, id: "vip-missing", service: "web", break: `ip addr del ${VIP}/32 dev d0` },
    { ...director, id: "vip-missing", service: "web6", break: `ip addr del ${ADDRESS.virtual6}/128 dev d0` },
    { ...director, id: "no-route", service: "web", break: "ip route del 172.16.0.0/24 dev d1" },
    { ...director, id: "link-down", service: "web", break: "ip link set d1 down" },
    {
      ...director,
      id: "local-ports",
      service: BURST,
      break: 'sysctl -qw net.ipv4.ip_local_port_range="40000 40001"',
    },
  ];
}

class SocketScene implements LabScene {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async flows(service: string): Promise<boolean> {
    if (service === BURST) return await this.#burst();
    const { url, server } = SERVICES[service] ?? { url: "", server: "" };
    await onHost("client", "ip neigh flush all");
    const words = ["curl", "-s", "-g", "--max-time", "1", `${url}/who`];
    return (await run(inside(namespaceOf("client"), words))).stdout.startsWith(`${server} `);
  }

  /** All of them at the same time, at 2 MB/s each. */
  async #burst(): Promise<boolean> {
    const one = ["curl", "-s", "-f", "-o", "/dev/null", "--max-time", "3", `http://${VIP}/slow/big`];
    const clients = Array.from({ length: BURST_CLIENTS }, () => run(inside(namespaceOf("client"), one)));
    return (await Promise.all(clients)).every(({ code }) => code === 0);
  }

  question(): readonly string[] {
    return ["-c", join(this.folder, "lvsd.yaml")];
  }

  hostOf(address: string): string {
    assert.equal(address, PEER.split(":")[0]);
    return "rs2";
  }
}

async function prepare(folder: string): Promise<void> {
  await installLvsd(folder);
  await Deno.writeTextFile(join(folder, "lvsd.yaml"), JSON.stringify(configOf(folder)));
  await Deno.writeTextFile(join(folder, "tunnel.key"), "a shared key of more than sixteen bytes", {
    mode: 0o600,
  });
  await Deno.writeFile(join(folder, "big"), new Uint8Array(1 << 20));
  await onHost(
    "director",
    `ip addr add ${VIP}/32 dev d0 && ip addr add ${ADDRESS.virtual6}/128 dev d0 nodad`,
  );
  const serve = (at: string, to: string) =>
    `socat TCP-LISTEN:${at},fork,reuseaddr TCP:${to} </dev/null >/dev/null 2>&1 &`;
  await onHost("director", serve("8082,bind=127.0.0.2", "172.16.0.11:8080"));
  await onHost("rs2", serve("8083", "127.0.0.1:8080"));
}

/** Rows that begin with the fault, not with traffic. */
async function missingFromTheStart(fault: LabFault, scene: SocketScene): Promise<void> {
  assert.equal(await scene.flows(fault.service), false);
  const found = (await findingsOn("director", scene.question())).find((it) => it.id === fault.id);
  assert.ok(found !== undefined, fault.id);
  await mend(found.on === undefined ? "director" : scene.hostOf(found.on), found, scene.folder);
  await eventually(`traffic after: ${found.mend}`, () => scene.flows(fault.service));
}

labTest(
  "doctor, socket lab: each fault is named, and its own command mends it",
  "q",
  "nat",
  async (folder, t) => {
    await prepare(folder);
    const scene = new SocketScene(folder);
    const command = lvsd("run", "-c", join(folder, "lvsd.yaml"));
    await t.step("web: port-taken", async () => {
      await onHost(
        "director",
        `socat TCP-LISTEN:80,bind=${VIP},fork,reuseaddr - </dev/null >/dev/null 2>&1 &`,
      );
      await using _daemon = await LabDaemon.start(command);
      await missingFromTheStart(
        { id: "port-taken", service: "web", at: "", ask: "director", break: "" },
        scene,
      );
    });
    await using _daemon = await LabDaemon.start(command);
    for (const fault of faultsIn(folder)) {
      const isMissing = fault.break === "true";
      await t.step(
        `${fault.service}: ${fault.id}`,
        () => isMissing ? missingFromTheStart(fault, scene) : play(fault, scene),
      );
    }
  },
);

/** lvsd for somebody who is not root: files that anybody may read, and a deno that capabilities can be given to. */
async function nobodysLvsd(folder: string): Promise<string[]> {
  await bundle(folder);
  await Deno.mkdir(join(folder, "nobody"), { recursive: true });
  await Deno.copyFile(Deno.execPath(), join(folder, "nobody", "deno"));
  await must(["chmod", "755", join(folder, "nobody"), join(folder, "nobody", "deno")]);
  return [
    ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
    ...["env", `DENO_DIR=${join(folder, "cache")}`, join(folder, "nobody", "deno"), "run"],
    // Deno shows /proc, where the doctor looks, to those only who may do everything.
    ...[...RUNTIME_FLAGS, "--allow-all", join(folder, "lvsd.js")],
  ];
}

labTest(
  "doctor, lab: rights that are missing are named, and given by his own command",
  "r",
  "dr",
  async (folder, t) => {
    const program = await nobodysLvsd(folder);
    const config = join(folder, "lvsd.yaml");
    const service = { name: "web", listen: `${VIP}:80`, healthCheck: "off", passive: "off" };
    const asks = async () => {
      await onHost("client", "ip neigh flush all");
      const words = ["curl", "-s", "--max-time", "1", `http://${VIP}/who`];
      return (await run(inside(namespaceOf("client"), words))).stdout.startsWith("rs");
    };
    const named = async (id: string) => {
      const found = (await findingsOn("director", ["-c", config], program)).find((it) => it.id === id);
      assert.ok(found !== undefined, id);
      return { ...found, mend: `export PATH="${folder}/nobody:$PATH"; ${found.mend}` };
    };
    await t.step("DR: capability-net-raw", async () => {
      const dr = { ...service, mode: "dr", destinations: ["172.16.0.11"] };
      await Deno.writeTextFile(
        config,
        JSON.stringify({ admin: { socket: "off" }, packet: PACKET_SECTION, services: [dr] }),
      );
      {
        await using daemon = await LabDaemon.start([...program, "run", "-c", config]);
        const { emulated, emulatedReason } = await daemon.service("web");
        assert.deepEqual([emulated, await asks()], [true, false]);
        assert.match(emulatedReason, /why: .*CAP_NET_RAW/);
      }
      await mend("director", await named("capability-net-raw"), folder);
      await using daemon = await LabDaemon.start([...program, "run", "-c", config]);
      await eventually("traffic", asks);
      const { emulated, engine } = await daemon.service("web");
      assert.deepEqual([emulated, engine], [false, "packet"]);
    });
    await t.step("NAT: privileged-port", async () => {
      const nat = { ...service, destinations: ["172.16.0.12:80"] };
      await Deno.writeTextFile(config, JSON.stringify({ admin: { socket: "off" }, services: [nat] }));
      await must(["setcap", "-r", join(folder, "nobody", "deno")]);
      await onHost("director", `ip addr add ${VIP}/32 dev d0`);
      await using _daemon = await LabDaemon.start([...program, "run", "-c", config]);
      assert.equal(await asks(), false);
      await mend("director", await named("privileged-port"), folder);
      await eventually("traffic", asks);
    });
  },
);
