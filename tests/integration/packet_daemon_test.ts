/**
 * The daemon with the packet engine, in namespaces: it forwards DR and TUN by itself, claims no emulation, says where a packet
 * goes, is killed under load and leaves the host as it was, and goes on with the connections that lived before, under sh and mh.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { ServiceStatus } from "../../admin/source.ts";
import { inside, must, run } from "../../scripts/lab/command.ts";
import { missingForLab } from "../../scripts/lab/needs.ts";
import { accessLog, startServers } from "../../scripts/lab/servers.ts";
import {
  ADDRESS,
  buildTopology,
  type LabMode,
  namespaceOf,
  removeTopology,
} from "../../scripts/lab/topology.ts";
import { lvsdCommand } from "../peers/lvsd_command.ts";
import { eventually } from "./eventually.ts";

/** 16 s at the 2 MiB/s that the real servers allow: long enough to be asked about, killed and begun anew meanwhile. */
const DOWNLOAD_MEBIBYTES = 32;
/** curl's exit code; a reset connection is 7. */
const TIMED_OUT = 28;
const reason = await missingForLab();
const isPromised = Deno.env.get("CI") === "true";

/** The daemon in the director's namespace. */
class LabDaemon {
  #child: Deno.ChildProcess | undefined;
  readonly #folder: string;
  readonly #socket: string;
  readonly #mode: LabMode;

  constructor(folder: string, mode: LabMode) {
    this.#folder = folder;
    this.#socket = join(folder, "control");
    this.#mode = mode;
  }

  /** Starts it and waits until it forwards. */
  async start(): Promise<void> {
    const config = join(this.#folder, "lvsd.json");
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        admin: { listen: "off", socket: this.#socket },
        ipvs: { sloppy_tcp: 1 },
        packet: {
          interfaces: [
            { name: "d0", addresses: ["10.1.0.1/24", "fd00:1::1/64"] },
            { name: "d1", addresses: ["172.16.0.1/24", "fd00:2::1/64"] },
          ],
        },
        services: [{
          name: "web",
          listen: `${ADDRESS.virtual4}:80`,
          mode: this.#mode,
          scheduler: "sh",
          destinations: ["172.16.0.11", "172.16.0.12", "172.16.0.13"],
        }, {
          name: "web6",
          listen: `[${ADDRESS.virtual6}]:80`,
          mode: this.#mode,
          scheduler: "mh",
          healthCheck: "off",
          destinations: ["[fd00:2::11]:80", "[fd00:2::12]:80", "[fd00:2::13]:80"],
        }, {
          name: "private",
          listen: `${ADDRESS.virtual4}:8080`,
          mode: this.#mode,
          deny: [`${ADDRESS.client4}/32`],
          healthCheck: "off",
          destinations: ["172.16.0.11"],
        }],
      }),
    );
    const [program = "", ...args] = this.#inside(["run", "-c", config]);
    this.#child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    await eventually("the first answer", async () => (await curl("/who")).includes("rs"));
  }

  async status(): Promise<{ services: ServiceStatus[] }> {
    return JSON.parse(await must(this.#inside(["status", "--json", "--socket", this.#socket])));
  }

  async explain(flow: string): Promise<string> {
    return await must(this.#inside(["explain", "--packet", ...flow.split(" "), "--socket", this.#socket]));
  }

  /** The lines of `lvsd rules` with this word. */
  async rules(word: string): Promise<string[]> {
    const text = await must(this.#inside(["rules", "--socket", this.#socket]));
    return text.split("\n").filter((it) => it.includes(word));
  }

  ipvsadm(option: string): string[] {
    return ["env", `LVSD_SOCKET=${this.#socket}`, ...this.#inside(["ipvsadm", option])];
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    this.#child = undefined;
  }

  #inside(words: readonly string[]): string[] {
    return inside(namespaceOf("director"), lvsdCommand(words));
  }
}

for (const mode of ["dr", "tun"] as const) {
  Deno.test({
    name: `lvsd run with the packet engine, ${mode}: forwards, is killed under load, goes on${
      reason === undefined || isPromised ? "" : ` (skipped: ${reason})`
    }`,
    ignore: reason !== undefined && !isPromised,
    async fn() {
      assert.equal(reason, undefined);
      const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
      Deno.env.set("LVSD_LAB", `lvsd${Deno.pid}d`);
      const daemon = new LabDaemon(folder, mode);
      try {
        await must(["chmod", "755", folder]);
        await buildTopology(mode);
        // The host's own addresses, for health checks; the engine has others beside them.
        for (const [device, address] of [["d0", "10.1.0.2/24"], ["d1", "172.16.0.2/24"]] as const) {
          await must(inside(namespaceOf("director"), ["ip", "addr", "add", address, "dev", device]));
        }
        await startServers(mode, folder);
        await eventually(
          "the end of duplicate address detection",
          async () => !(await hostState()).includes("tentative"),
        );
        const before = await hostState();
        await daemon.start();
        await checkForwarding(daemon, folder);
        await checkKill(daemon, folder, before);
      } finally {
        await daemon.kill();
        await removeTopology();
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** It forwards, is asked for no emulation, drops what a list denies, and lists what its worker holds. */
async function checkForwarding(daemon: LabDaemon, folder: string): Promise<void> {
  const [web] = (await daemon.status()).services;
  assert.deepEqual([web?.engine, web?.emulated, web?.state], ["packet", false, "listening"]);
  const answers = (await curl(...Array.from({ length: 50 }, () => "/who"))).trim().split("\n");
  assert.equal(answers.length, 50);
  assert.ok(answers.every((it) => it === answers[0]), "sh: one client, one server");
  const server = answers[0]?.split(" ")[0] ?? "";
  assert.ok((await Deno.readTextFile(accessLog(folder, server))).startsWith(`${ADDRESS.client4} `));

  const url = `http://${ADDRESS.virtual4}:8080/who`;
  const denied = await run(inside(namespaceOf("client"), ["curl", "-s", "--max-time", "1", url]));
  assert.equal(denied.code, TIMED_OUT, "dropped by the deny list; the server itself would have reset it");
  assert.match((await daemon.rules("deny of private"))[0] ?? "", /^ *[1-9]\d* +[1-9]\d* +DROP/, "it counts");
  const listed = await must(daemon.ipvsadm("-Lcn"));
  assert.match(listed, /TCP .* FIN_WAIT +10\.1\.0\.10:\d+ +10\.1\.0\.100:80 +172\.16\.0\.1/);
}

/** Two downloads, one under sh and one under mh, outlive the director's death and new start while others come and go. */
async function checkKill(daemon: LabDaemon, folder: string, before: string): Promise<void> {
  const big = join(folder, "big.bin");
  await must(["dd", "if=/dev/urandom", `of=${big}`, "bs=1M", `count=${DOWNLOAD_MEBIBYTES}`, "status=none"]);
  const [wanted] = (await must(["sha256sum", big])).split(" ");
  const downloads = [ADDRESS.virtual4, `[${ADDRESS.virtual6}]`].map((host) =>
    run(inside(namespaceOf("client"), [
      "sh",
      "-c",
      `curl -sg --max-time 120 http://${host}/slow/big.bin | sha256sum`,
    ]))
  );
  const established = async () => {
    const { stdout } = await run(inside(namespaceOf("client"), ["ss", "-tnH", "state", "established"]));
    return stdout.split("\n").filter((it) => /:80\b/.test(it));
  };
  await eventually("both downloads' connections", async () => (await established()).length >= 2);
  const port = (await established()).join("\n").match(/10\.1\.0\.10:(\d+) /)?.[1] ?? "";
  const said = await daemon.explain(`tcp ${ADDRESS.client4}:${port} ${ADDRESS.virtual4}:80`);
  assert.match(said, /entry +172\.16\.0\.1\d:80 ESTABLISHED/);
  assert.match(said, /why: the connection is known and stays with its destination/);
  assert.match(said, /wire +d1 to ([0-9a-f]{2}:){5}[0-9a-f]{2}: /);

  const load = new Deno.Command("ip", {
    args: inside(namespaceOf("client"), [
      "sh",
      "-c",
      `while :; do curl -s --max-time 2 -o /dev/null http://${ADDRESS.virtual4}/who; done`,
    ]).slice(1),
    stdout: "null",
    stderr: "null",
  }).spawn();
  const served = async () => (await run(["sh", "-c", `cat ${folder}/*.access.log | grep -c /who`])).stdout;
  const begun = await served();
  await eventually("the load", async () => Number(await served()) > Number(begun) + 20);
  assert.ok((await established()).length >= 2, "both downloads are still going on");
  await daemon.kill();
  assert.equal(await hostState(), before, "nothing of ours is left on the host");
  await daemon.start();
  const sums = (await Promise.all(downloads)).map(({ stdout }) => stdout.split(" ")[0]);
  load.kill("SIGKILL");
  await load.status;
  assert.deepEqual(sums, [wanted, wanted]);
}

/** Addresses, routes, rules and filters of the director's host. */
async function hostState(): Promise<string> {
  const commands = ["ip addr", "ip route show table all", "ip rule", "ip link", "nft list ruleset"];
  const outputs = [];
  for (const command of commands) {
    outputs.push((await run(inside(namespaceOf("director"), command.split(" ")))).stdout);
  }
  return outputs.join("\n");
}

async function curl(...paths: string[]): Promise<string> {
  const urls = paths.map((it) => `http://${ADDRESS.virtual4}${it}`);
  return (await run(inside(namespaceOf("client"), ["curl", "-s", "--max-time", "5", ...urls]))).stdout;
}
