/** What the built file can do where there is neither deno nor node: all that the sources can. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Finding } from "../../doctor/finding.ts";
import { freePort } from "../peers/free_port.ts";
import { type BuiltFile, ROOT } from "./built_file.ts";
import { NamedServer } from "./daemon_setting.ts";

const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;

export async function tryFeatures(t: Deno.TestContext, built: BuiltFile): Promise<void> {
  const cache = built.cache("plain");

  await t.step("demo balances, check checks, wrong words are told", async () => {
    const demo = await built.run(cache, ["demo", "--seconds", "2", "--traffic", "20"]);
    assert.equal(demo.code, 0, demo.err);
    assert.match(demo.out, /web-3 [1-9]\d* /);
    const check = await built.run(cache, ["check", join(ROOT, "config.example.yaml")]);
    assert.match(check.out, /: ok, \d+ services/);
    const wrong = await built.run(cache, ["rnu"]);
    assert.equal(wrong.code, 2, wrong.err);
  });

  await t.step("run -c on the native engine, ipvsadm -Ln, reload", () => tryRun(built, cache));

  await t.step("the doctor sees the whole host", async () => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const file = built.cache("doctor.yaml");
    await Deno.writeTextFile(file, configText(taken.addr.port, "127.0.0.1:9"));
    const { code, out, err } = await built.run(cache, ["doctor", "--json", "-c", file]);
    assert.equal(code, 1, err);
    const { host, services } = JSON.parse(out);
    assert.ok(!host.some((it: Finding) => it.id === "blind"), out);
    const found = services[0].findings.find((it: Finding) => it.id === "port-taken");
    // Who holds it stands in /proc, of which Deno lets nobody read a part.
    assert.match(`${found?.text} ${found?.mend}`, new RegExp(`\\b${Deno.pid}\\b`));
  });

  await t.step({
    name: "realserver tun: its worker is inside too",
    ignore: !isRoot,
    fn: async () => {
      const words = ["realserver", "tun", "--vip", "10.9.9.9", "--interface", "lo"];
      const path = { PATH: `${built.path}:/usr/sbin:/usr/bin:/sbin:/bin` };
      const run = built.run(
        cache,
        ["--net", "timeout", "-s", "TERM", "5", built.file, ...words],
        "unshare",
        path,
      );
      const { out, err } = await run;
      assert.match(out, /^ready for TUN: 10\.9\.9\.9/, err);
      assert.match(out, /0 packets taken apart/);
    },
  });

  // Namespaces and root's rights: they skip or fail by themselves where these are not to be had.
  await t.step("packets are forwarded, and --user nobody serves port 80: the end-to-end tests", async () => {
    const program = built.cache("without-deno");
    const script = `#!/bin/sh\nPATH=${built.path} XDG_CACHE_HOME=${cache} exec ${built.file} "$@"\n`;
    await Deno.writeTextFile(program, script, { mode: 0o755 });
    await endToEnd("packet_daemon_test.ts", program);
    await endToEnd("user_test.ts", built.file);
  });
}

/** An end-to-end test of its own, with this program. */
async function endToEnd(test: string, program: string): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", join(ROOT, "tests/integration", test)],
    cwd: ROOT,
    env: { LVSD_BIN: program, NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  assert.match(text, /\d+ passed .*0 failed/);
}

async function tryRun(built: BuiltFile, cache: string): Promise<void> {
  await using server = new NamedServer("a");
  const port = await freePort();
  const file = built.cache("lvsd.yaml");
  await Deno.writeTextFile(file, configText(port, server.address));
  const env = { LVSD_SOCKET: built.cache("control.sock") };
  const daemon = new Deno.Command(built.file, {
    args: ["run", "-c", file],
    clearEnv: true,
    env: { ...built.surroundings(cache), ...env },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let log = "";
  const ready = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const text of daemon.stderr.pipeThrough(new TextDecoderStream())) {
      log += text;
      if (log.includes(" ready: ")) ready.resolve();
    }
    ready.reject(new Error(log));
  })();
  await ready.promise;
  assert.match(log, /engine native for TCP/);
  assert.equal(await Deno.readLink(`/proc/${daemon.pid}/exe`), join(built.unpacked(cache), "deno"));
  assert.equal(
    await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })).text(),
    "a",
  );
  const listed = await built.run(cache, ["ipvsadm", "-Ln"], built.file, env);
  assert.match(
    listed.out,
    new RegExp(`TCP {2}127\\.0\\.0\\.1:${port} wlc\n {2}-> ${server.address} +Masq +1 `),
  );
  const reload = await built.run(cache, ["reload"], built.file, env);
  assert.match(reload.out, /nothing has changed/, reload.err);
  daemon.kill("SIGTERM");
  await reading.catch(() => {});
  assert.equal((await daemon.status).code, 0, log);
}

function configText(port: number, destination: string): string {
  const services = [{ name: "web", listen: `127.0.0.1:${port}`, destinations: [destination] }];
  return JSON.stringify({ admin: { listen: "off" }, services });
}
