/** The one-file build: what it needs of a machine, and what it does when the machine does not play along. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { BuiltFile, ROOT } from "./built_file.ts";
import { tryFeatures } from "./built_file_features.ts";
import { startEcho } from "./echo_servers.ts";

const ignore = Deno.build.os !== "linux";

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

    await tryFeatures(t, built);

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
      await Deno.symlink("999999999", `${folder}.lock`);
      await Deno.mkdir(`${folder}.fresh.999999999`);
      await built.version(cache);
      assert.deepEqual([...Deno.readDirSync(join(cache, "lvsd"))].map((it) => join(cache, "lvsd", it.name)), [
        folder,
      ]);
    });

    await t.step(
      "a copy of the cache, as in an image, is known by its content, on a read-only disk too",
      async () => {
        const cache = built.cache("original");
        await built.version(cache);
        const copy = built.cache("copy");
        await command("cp", ["-a", cache, copy]);
        if (Deno.uid() !== 0) return void assert.equal(await built.version(copy), "");
        await command("mount", ["--bind", copy, copy]);
        await command("mount", ["-o", "remount,bind,ro", copy]);
        try {
          assert.equal(await built.version(copy), "");
        } finally {
          await command("umount", [copy]);
        }
      },
    );

    await t.step("another version goes when this one moves in, unless somebody runs it", async () => {
      const cache = built.cache("upgraded");
      const [idle, busy] = ["0.0.1", "0.0.2"].map((it) => join(cache, `lvsd/lvsd-${it}-000000000000`));
      assert.ok(idle !== undefined && busy !== undefined);
      for (const it of [idle, busy]) await Deno.mkdir(it, { recursive: true, mode: 0o700 });
      await Deno.chmod(join(cache, "lvsd"), 0o700);
      await Deno.copyFile("/bin/sleep", join(busy, "deno"));
      const runner = new Deno.Command(join(busy, "deno"), { args: ["60"] }).spawn();
      await built.version(cache);
      runner.kill("SIGKILL");
      await runner.status;
      const left = [...Deno.readDirSync(join(cache, "lvsd"))].map((it) => join(cache, "lvsd", it.name));
      assert.equal(left.length, 2, `${left}`);
      assert.ok(left.includes(busy));
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
          ...built.surroundings("/proc"),
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

Deno.test({
  name: "deno compile: builds and runs, or says that its runtime is not to be had",
  ignore,
  fn: async () => {
    const directory = await Deno.makeTempDir({ prefix: "lvsd-compiled-" });
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", join(ROOT, "scripts/compile.ts"), "-o", join(directory, "lvsd")],
      cwd: ROOT,
    }).output();
    const [out, err] = [stdout, stderr].map((it) => new TextDecoder().decode(it));
    if (code === 0) assert.match(`${out}`, /kind +deno compile\n[^]*runs +lvsd \d.*\(deno compile, commit /);
    else {
      assert.equal(code, 3, err);
      assert.match(
        `${err}`,
        /cannot get its runtime \(denort\): .*DENORT_BIN, or build with --carry-runtime\n$/,
      );
      assert.equal(Deno.env.get("DENORT_BIN"), undefined, err);
    }
    await Deno.remove(directory, { recursive: true });
  },
});

async function command(name: string, args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(name, { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}
