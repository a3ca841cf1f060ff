/**
 * The daemon with the packet engine, in namespaces: it forwards DR by itself, claims no emulation, is killed and leaves the host
 * as it was, and goes on with a connection that lived before.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServiceStatus } from "../../admin/source.ts";
import { inside, must, run } from "../../scripts/lab/command.ts";
import { missingForLab } from "../../scripts/lab/needs.ts";
import { accessLog, startServers } from "../../scripts/lab/servers.ts";
import { ADDRESS, buildTopology, namespaceOf, removeTopology } from "../../scripts/lab/topology.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const TRIES = 200;
const TRY_MS = 100;
/** curl's exit code; a reset connection is 7. */
const TIMED_OUT = 28;
const reason = await missingForLab();
const isPromised = Deno.env.get("CI") === "true";

/** The daemon in the director's namespace. */
class LabDaemon {
  #child: Deno.ChildProcess | undefined;
  readonly #folder: string;
  readonly #socket: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#socket = join(folder, "control");
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
            { name: "d0", addresses: ["10.1.0.1/24"] },
            { name: "d1", addresses: ["172.16.0.1/24"] },
          ],
        },
        services: [{
          name: "web",
          listen: `${ADDRESS.virtual4}:80`,
          mode: "dr",
          scheduler: "sh",
          destinations: ["172.16.0.11", "172.16.0.12", "172.16.0.13"],
        }, {
          name: "private",
          listen: `${ADDRESS.virtual4}:8080`,
          mode: "dr",
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

  ipvsadm(option: string): string[] {
    return ["env", `LVSD_SOCKET=${this.#socket}`, ...this.#inside(["ipvsadm", option])];
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    this.#child = undefined;
  }

  #inside(words: readonly string[]): string[] {
    return inside(namespaceOf("director"), [Deno.execPath(), "run", "-A", MAIN, ...words]);
  }
}

Deno.test({
  name: `lvsd run with the packet engine: forwards, is killed, goes on${
    reason === undefined || isPromised ? "" : ` (skipped: ${reason})`
  }`,
  ignore: reason !== undefined && !isPromised,
  async fn() {
    assert.equal(reason, undefined);
    const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
    Deno.env.set("LVSD_LAB", `lvsd${Deno.pid}d`);
    const daemon = new LabDaemon(folder);
    try {
      await must(["chmod", "755", folder]);
      await buildTopology("dr");
      // The host's own addresses, for health checks; the engine has others beside them.
      for (const [device, address] of [["d0", "10.1.0.2/24"], ["d1", "172.16.0.2/24"]] as const) {
        await must(inside(namespaceOf("director"), ["ip", "addr", "add", address, "dev", device]));
      }
      await startServers("dr", folder);
      await eventually(
        "the end of duplicate address detection",
        async () => !(await hostState()).includes("tentative"),
      );
      const before = await hostState();
      await daemon.start();

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
      const listed = await must(daemon.ipvsadm("-Lcn"));
      assert.match(listed, /TCP .* FIN_WAIT +10\.1\.0\.10:\d+ +10\.1\.0\.100:80 +172\.16\.0\.1/);

      const big = join(folder, "big.bin");
      await must(["dd", "if=/dev/urandom", `of=${big}`, "bs=1M", "count=8", "status=none"]);
      const [wanted] = (await must(["sha256sum", big])).split(" ");
      const download = run(inside(namespaceOf("client"), [
        "sh",
        "-c",
        `curl -s --max-time 30 http://${ADDRESS.virtual4}/slow/big.bin | sha256sum`,
      ]));
      await eventually(
        "the download's connection",
        async () =>
          (await run(inside(namespaceOf("client"), ["ss", "-tn", "state", "established"]))).stdout.includes(
            ":80",
          ),
      );
      await daemon.kill();
      assert.equal(await hostState(), before, "nothing of ours is left on the host");
      await daemon.start();
      assert.equal((await download).stdout.split(" ")[0], wanted);
    } finally {
      await daemon.kill();
      await removeTopology();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

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

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
  assert.fail(`${what} never came`);
}
