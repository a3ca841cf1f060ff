/** lvsd as its users install it, started by root in a network namespace of its own, with a /run of its own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../../scripts/lab/command.ts";
import { bundle } from "../../scripts/packaging/bundle.ts";
import { permissionsOf, RUNTIME_FLAGS } from "../../scripts/packaging/permissions.ts";
import { LVSD_BIN } from "../peers/lvsd_command.ts";

/** Why it cannot be tried here; a reason fails the test where CI=true promises everything. */
export async function obstacle(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "users are changed on Linux";
  if (Deno.uid() !== 0) return "only root can become somebody else";
  for (const program of ["ip", "nsenter", "curl", "mount"]) {
    if ((await run(["sh", "-c", `command -v ${program}`])).code !== 0) return `${program} is not installed`;
  }
  return undefined;
}

/** The installed files and the namespace. */
export class Installed implements AsyncDisposable {
  readonly directory: string;
  readonly #namespace: string;

  private constructor(directory: string, namespace: string) {
    this.directory = directory;
    this.#namespace = namespace;
  }

  static async create(): Promise<Installed> {
    const directory = await Deno.makeTempDir({ prefix: "lvsd-installed-" });
    const installed = new Installed(directory, `lvsd-user-${Deno.pid}`);
    await Deno.chmod(directory, 0o755);
    if (LVSD_BIN === undefined) await bundle(directory);
    else await Deno.copyFile(LVSD_BIN, join(directory, "lvsd"));
    await Deno.copyFile(Deno.execPath(), join(directory, "deno"));
    await Deno.chmod(join(directory, "deno"), 0o755);
    await done(["ip", "netns", "add", installed.#namespace]);
    await done(["ip", "-n", installed.#namespace, "link", "set", "lo", "up"]);
    return installed;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** The command that runs lvsd: the built file, or what its launcher would do. */
  lvsd(words: readonly string[], permissions: readonly string[] = permissionsOf(words[0])): string[] {
    if (LVSD_BIN !== undefined) {
      return ["env", `LVSD_PERMISSIONS=${permissions.join(" ")}`, this.path("lvsd"), ...words];
    }
    const flags = [...RUNTIME_FLAGS, ...permissions];
    return [this.path("deno"), "run", ...flags, this.path("lvsd.js"), ...words];
  }

  /** A process in the namespace with an empty /run; what it says on standard error is collected. */
  start(words: readonly string[]): Started {
    const script = 'mount -t tmpfs none /run && exec "$@"';
    return new Started(
      new Deno.Command("ip", {
        args: ["netns", "exec", this.#namespace, "sh", "-c", script, "sh", ...words],
        env: { DENO_DIR: this.path("cache"), NO_COLOR: "1" },
        stdout: "null",
        stderr: "piped",
      }).spawn(),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(["ip", "netns", "del", this.#namespace]);
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** A running process, in whose namespaces others can be run. */
export class Started implements AsyncDisposable {
  readonly process: Deno.ChildProcess;
  log = "";
  readonly #ended: Promise<void>;
  #heard = Promise.withResolvers<void>();

  constructor(process: Deno.ChildProcess) {
    this.process = process;
    this.#ended = this.#read();
  }

  async #read(): Promise<void> {
    for await (const text of this.process.stderr.pipeThrough(new TextDecoderStream())) {
      this.log += text;
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    }
    this.#heard.resolve();
  }

  /** Waits until it has said this. */
  async says(pattern: RegExp): Promise<void> {
    let over = false;
    void this.#ended.then(() => over = true);
    while (!pattern.test(this.log)) {
      assert.ok(!over, `ended without ${pattern}: ${this.log}`);
      await this.#heard.promise;
    }
  }

  /** Runs a command where the process is, as root. */
  async beside(words: readonly string[]): Promise<string> {
    return await done(["nsenter", "-t", `${this.process.pid}`, "-n", "-m", ...words]);
  }

  /** Lines of these names from the status of every thread: each line once. */
  credentials(names: readonly string[]): string[] {
    const tasks = [...Deno.readDirSync(`/proc/${this.process.pid}/task`)].map((it) => it.name);
    assert.ok(tasks.length > 3, `${tasks.length} threads`);
    const lines = tasks.flatMap((task) =>
      Deno.readTextFileSync(`/proc/${this.process.pid}/task/${task}/status`).split("\n")
    );
    return [...new Set(lines.filter((line) => names.includes(line.split(":")[0] ?? "")))].sort();
  }

  async end(): Promise<number> {
    this.process.kill("SIGTERM");
    const { code } = await this.process.status;
    await this.#ended;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.process.status;
    await this.#ended;
  }
}

async function done(words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(words);
  assert.equal(code, 0, `${words.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}
