/** lvsd in the director's namespace of a lab: started by a command line, watched through its admin address, asked by a client. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { ServiceStatus, Status } from "../../admin/source.ts";
import { inside, must, run } from "../../scripts/lab/command.ts";
import { missingForLab } from "../../scripts/lab/needs.ts";
import { startServers } from "../../scripts/lab/servers.ts";
import {
  ADDRESS,
  buildTopology,
  type LabMode,
  namespaceOf,
  removeTopology,
} from "../../scripts/lab/topology.ts";
import { eventually } from "./eventually.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const reason = await missingForLab();
const isPromised = Deno.env.get("CI") === "true";

/** The packet engine's section for a lab. */
export const PACKET_SECTION = {
  interfaces: [
    { name: "d0", addresses: ["10.1.0.1/24", "fd00:1::1/64"] },
    { name: "d1", addresses: [`${ADDRESS.director4}/24`, `${ADDRESS.director6}/64`] },
  ],
};

/**
 * A test in a lab of its own, whose director is a host with addresses beside those of the packet engine.
 *
 * @param suffix of the namespaces, nobody else's in the same run
 * @param run gets a folder that programs of the lab may read
 */
export function labTest(
  name: string,
  suffix: string,
  mode: LabMode,
  run: (folder: string, t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: `${name}${reason === undefined || isPromised ? "" : ` (skipped: ${reason})`}`,
    ignore: reason !== undefined && !isPromised,
    fn: async (t) => {
      assert.equal(reason, undefined);
      const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
      Deno.env.set("LVSD_LAB", `lvsd${Deno.pid}${suffix}`);
      try {
        await must(["chmod", "755", folder]);
        await buildTopology(mode);
        for (const [link, net4, net6] of [["d0", "10.1.0", "fd00:1:"], ["d1", "172.16.0", "fd00:2:"]]) {
          const six = `ip addr add ${net6}:2/64 dev ${link} nodad`;
          await onHost("director", `ip addr add ${net4}.2/24 dev ${link} && ${six}`);
        }
        await startServers(mode, folder);
        await run(folder, t);
      } finally {
        await removeTopology();
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** lvsd from the sources, with everything allowed. */
export function lvsd(...words: readonly string[]): string[] {
  return [Deno.execPath(), "run", "-A", MAIN, ...words];
}

/** A process in the director's namespace that runs until it is ended; its log is kept. */
export class LabDaemon implements AsyncDisposable {
  log = "";
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#read = this.#collect();
  }

  /** Starts it and waits until its admin address answers. @param words the whole command line */
  static async start(words: readonly string[]): Promise<LabDaemon> {
    const [program = "", ...args] = inside(namespaceOf("director"), words);
    const daemon = new LabDaemon(
      new Deno.Command(program, {
        args,
        env: { NO_COLOR: "1" },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn(),
    );
    await eventually(
      "the admin address",
      async () => (await daemon.#ask("/healthz")) !== "",
      () => daemon.log,
    );
    return daemon;
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.#ask("/status"));
  }

  async service(name: string): Promise<ServiceStatus> {
    const found = (await this.status()).services.find((it) => it.name === name);
    assert.ok(found !== undefined, name);
    return found;
  }

  metrics(): Promise<string> {
    return this.#ask("/metrics");
  }

  /** Waits until every service is bound and has a live destination. */
  async ready(): Promise<void> {
    await eventually(
      "/readyz",
      async () => (await this.#ask("/readyz", "-f")) !== "",
      () => this.log,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#child.status;
    await this.#read;
  }

  async #ask(path: string, ...options: string[]): Promise<string> {
    const words = ["curl", "-s", ...options, "--max-time", "5", `http://127.0.0.1:9180${path}`];
    return (await run(inside(namespaceOf("director"), words))).stdout;
  }

  async #collect(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) this.log += text;
  }
}

/** Runs a line of shell on a host of the lab. */
export function onHost(host: string, command: string): Promise<string> {
  return must(inside(namespaceOf(host), ["sh", "-c", command]));
}
