/** lvsd in the director's namespace of a lab: started by a command line, watched through its admin address, asked by a client. */
import assert from "node:assert/strict";
import type { ServiceStatus, Status } from "../../admin/source.ts";
import { inside, must, run } from "../../scripts/lab/command.ts";
import { namespaceOf } from "../../scripts/lab/topology.ts";

const TRIES = 200;
const TRY_MS = 50;

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

/** Waits for something that has to become true. */
export async function eventually(
  what: string,
  isSo: () => Promise<boolean>,
  more: () => string = () => "",
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
  assert.fail(`${what} never came: ${more()}`);
}
