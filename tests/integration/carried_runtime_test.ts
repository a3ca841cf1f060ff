/** The one-file build: what it needs of a machine, and what it does when the machine does not play along. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startEcho } from "./echo_servers.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ignore = Deno.build.os !== "linux";
/** Neither deno nor node is there. */
const PATH = "/usr/bin:/bin";

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The built file in a folder of its own, and caches to start it with. */
class BuiltFile implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async build(): Promise<BuiltFile> {
    const built = new BuiltFile(await Deno.makeTempDir({ prefix: "lvsd-built-" }));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", join(ROOT, "scripts/compile.ts"), "--carry-runtime", "-o", built.file],
      cwd: ROOT,
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.match(text, /kind +carried runtime\n +size +\d+\.\d MB\n +sha256 +[0-9a-f]{64}\n$/);
    return built;
  }

  get file(): string {
    return join(this.directory, "lvsd");
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
      cwd: this.directory,
      env: { PATH, XDG_CACHE_HOME: cache, TMPDIR: this.directory, ...env },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: text(stdout), err: text(stderr) };
  }

  async version(cache: string): Promise<string> {
    const { code, out, err } = await this.run(cache, ["--version"]);
    assert.equal(code, 0, err);
    assert.match(out, /^lvsd \d+\.\d+\.\d+ \(carried runtime, commit \S+; deno 2\./);
    return err;
  }

  /** Folders of runs that left nothing else. */
  leftovers(): string[] {
    return [...Deno.readDirSync(this.directory)].map((it) => it.name).filter((it) => /^lvsd-/.test(it));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

Deno.test({
  name: "one file: starts without deno or node, and copes with its surroundings",
  ignore,
  fn: async (t) => {
    await using built = await BuiltFile.build();

    await t.step("under 60 MB", async () => {
      const { size } = await Deno.stat(built.file);
      assert.ok(size < 60e6, `${size} bytes`);
    });

    await t.step("the first start unpacks, the second finds it", async () => {
      const cache = built.cache("plain");
      assert.equal(await built.version(cache), "");
      const before = await Deno.stat(join(built.unpacked(cache), "deno"));
      assert.equal(await built.version(cache), "");
      assert.equal((await Deno.stat(join(built.unpacked(cache), "deno"))).ino, before.ino);
      const { mode } = await Deno.stat(built.unpacked(cache));
      assert.equal((mode ?? 0) & 0o777, 0o700);
    });

    await t.step("demo balances, check checks, simulate reads its standard input", async () => {
      const cache = built.cache("plain");
      const demo = await built.run(cache, ["demo", "--seconds", "2", "--traffic", "20"]);
      assert.equal(demo.code, 0, demo.err);
      assert.match(demo.out, /web-3 [1-9]\d* /);
      const check = await built.run(cache, ["check", join(ROOT, "config.example.yaml")]);
      assert.match(check.out, /: ok, \d+ services/);
      const wrong = await built.run(cache, ["rnu"]);
      assert.equal(wrong.code, 2, wrong.err);
    });

    await t.step("three first starts at once", async () => {
      const cache = built.cache("crowded");
      const told = await Promise.all([1, 2, 3].map(() => built.version(cache)));
      assert.deepEqual(told, ["", "", ""]);
      built.unpacked(cache);
    });

    await t.step("a changed file in the cache is noticed and replaced", async () => {
      const cache = built.cache("tampered");
      await built.version(cache);
      const bundle = join(built.unpacked(cache), "lvsd.js");
      await Deno.writeTextFile(bundle, "console.log('not lvsd')\n");
      assert.match(await built.version(cache), /is not as it was unpacked; it is replaced/);
      assert.equal(await built.version(cache), "");
    });

    await t.step("a lock whose holder died holds nobody up", async () => {
      const cache = built.cache("stale");
      await built.version(cache);
      const folder = built.unpacked(cache);
      await Deno.rename(folder, `${built.directory}/away`);
      await Deno.mkdir(`${folder}.lock`);
      await Deno.writeTextFile(`${folder}.lock/holder`, "999999999\n");
      await built.version(cache);
    });

    await t.step("another version goes when this one moves in, unless somebody runs it", async () => {
      const cache = built.cache("upgraded");
      await Deno.mkdir(join(cache, "lvsd/lvsd-0.0.1-000000000000"), { recursive: true, mode: 0o700 });
      await Deno.chmod(join(cache, "lvsd"), 0o700);
      await built.version(cache);
      built.unpacked(cache);
    });

    await t.step(
      "a cache that cannot be written, or that others may write: a folder for this run only",
      async () => {
        const open = built.cache("open");
        await Deno.mkdir(join(open, "lvsd"), { recursive: true });
        await Deno.chmod(join(open, "lvsd"), 0o777);
        for (const cache of ["/proc", open]) {
          const told = await built.version(cache);
          assert.match(told, /cannot be used: it must be writable, yours, and closed to others/);
          assert.match(told, /for this run only/);
        }
        assert.deepEqual(built.leftovers(), []);
      },
    );

    await t.step("a run of that kind hands signals and the exit code on", async () => {
      await using echo = await startEcho();
      const child = new Deno.Command(built.file, {
        args: ["run", "--tcp", "127.0.0.1:0", "--to", echo.address, "--admin", "off"],
        clearEnv: true,
        env: {
          PATH,
          XDG_CACHE_HOME: "/proc",
          TMPDIR: built.directory,
          LVSD_SOCKET: `${built.directory}/control.sock`,
        },
        stdout: "null",
        stderr: "piped",
      }).spawn();
      // A run that does not hear the signal fails by its exit code.
      const late = setTimeout(() => child.kill("SIGKILL"), 30_000);
      let log = "";
      for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
        log += chunk;
        if (log.includes(" ready: ") && !log.includes("draining")) child.kill("SIGTERM");
      }
      clearTimeout(late);
      const { code } = await child.status;
      assert.equal(code, 0, log);
      assert.match(log, /draining/);
      assert.deepEqual(built.leftovers(), []);
    });

    await t.step("a damaged file says so", async () => {
      const damaged = built.cache("damaged");
      const bytes = await Deno.readFile(built.file);
      bytes[bytes.length - 1_000_000] = (bytes[bytes.length - 1_000_000] ?? 0) ^ 1;
      await Deno.writeFile(damaged, bytes, { mode: 0o755 });
      const { code, err } = await built.run(built.cache("fresh"), ["--version"], damaged);
      assert.equal(code, 3);
      assert.match(err, /damaged: its checksum is not the one it was built with/);
    });

    await t.step("a full disk says so", async () => {
      if (Deno.uid() !== 0) return;
      const full = built.cache("full");
      await Deno.mkdir(full);
      await command("mount", ["-t", "tmpfs", "-o", "size=20m,mode=0700", "none", full]);
      try {
        const { code, err } = await built.run(full, ["--version"], built.file, { TMPDIR: full });
        assert.equal(code, 3, err);
        assert.match(err, /cannot unpack into .*: tar: /);
        assert.match(err, /set XDG_CACHE_HOME or TMPDIR to a folder with 200 MB of room/);
      } finally {
        await command("umount", [full]);
      }
    });
  },
});

async function command(name: string, args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(name, { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}
