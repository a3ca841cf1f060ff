/** The built file in a folder where nothing else is, and caches to start it with. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of the sources. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));
/** What the launcher takes from the machine, as docs/deploy.md lists it. */
export const PROGRAMS_OF_LAUNCHER: readonly string[] = [
  ...["sh", "uname", "id", "stat", "ls", "cat", "readlink", "ln", "mv", "mkdir", "mktemp", "dirname", "rm"],
  ...["sleep", "tail", "head", "cut", "sha256sum", "gzip", "tar", "grep"],
];

/** What a run said. */
export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Built once, started with many caches. */
export class BuiltFile implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async build(): Promise<BuiltFile> {
    const built = new BuiltFile(await Deno.makeTempDir({ prefix: "lvsd-built-" }));
    for (const it of ["place", "programs", "tmp"]) await Deno.mkdir(join(built.directory, it));
    await built.#linkPrograms();
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", join(ROOT, "scripts/compile.ts"), "--carry-runtime", "-o", built.file],
      cwd: ROOT,
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.match(text, /kind +carried runtime\n +size +\d+\.\d MB\n +sha256 +[0-9a-f]{64}\n +runs +lvsd \d/);
    return built;
  }

  async #linkPrograms(): Promise<void> {
    for (const name of PROGRAMS_OF_LAUNCHER) {
      const found = ["/usr/bin", "/bin"].map((it) => join(it, name)).find((it) => exists(it));
      assert.ok(found !== undefined, `${name} is not installed`);
      await Deno.symlink(found, join(this.path, name));
    }
  }

  /** A `PATH` with neither deno nor node. */
  get path(): string {
    return join(this.directory, "programs");
  }

  get file(): string {
    return join(this.directory, "place", "lvsd");
  }

  /** A fresh cache folder. */
  cache(name: string): string {
    return join(this.directory, name);
  }

  /** Where it unpacked itself. */
  unpacked(cache: string): string {
    const folders = [...Deno.readDirSync(join(cache, "lvsd"))].map((it) => it.name);
    assert.equal(folders.length, 1, `${folders}`);
    return join(cache, "lvsd", folders[0] ?? "");
  }

  async run(cache: string, words: readonly string[], file = this.file, env = {}): Promise<Run> {
    const { code, stdout, stderr } = await new Deno.Command(file, {
      args: [...words],
      clearEnv: true,
      cwd: join(this.directory, "place"),
      env: { ...this.surroundings(cache), ...env },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: text(stdout), err: text(stderr) };
  }

  /** All that it finds in its environment. */
  surroundings(cache: string): Record<string, string> {
    return { PATH: this.path, XDG_CACHE_HOME: cache, TMPDIR: join(this.directory, "tmp") };
  }

  async version(cache: string): Promise<string> {
    const { code, out, err } = await this.run(cache, ["--version"]);
    assert.equal(code, 0, err);
    assert.match(out, /^lvsd \d+\.\d+\.\d+ \(carried runtime, commit \S+; deno 2\./);
    return err;
  }

  /** What runs left behind, in the folder for temporary files and beside the file. */
  leftovers(): string[] {
    const names = (folder: string) =>
      [...Deno.readDirSync(join(this.directory, folder))].map((it) => it.name);
    return [...names("tmp"), ...names("place").filter((it) => it !== "lvsd")];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
