/** `lvsd run --user`: root's ports without root. */
import assert from "node:assert/strict";
import { Installed, obstacle } from "./user_setting.ts";

const reason = await obstacle();
const isPromised = Deno.env.get("CI") === "true";
const skipped = reason === undefined || isPromised ? "" : ` (skipped: ${reason})`;
const SERVER =
  "Deno.serve({hostname:'127.0.0.1',port:3001,onListen(){console.error('serving')}},()=>new Response('hello'))";
const CREDENTIALS = [
  "Uid",
  "Gid",
  "Groups",
  "CapInh",
  "CapPrm",
  "CapEff",
  "CapBnd",
  "CapAmb",
  "NoNewPrivs",
];

function config(...ports: number[]): string {
  const services = ports.map((port) => ({
    name: `web-${port}`,
    listen: `127.0.0.1:${port}`,
    healthCheck: "off",
    destinations: ["127.0.0.1:3001"],
  }));
  return JSON.stringify({ admin: { listen: "off" }, services });
}

/** What /proc has to say of nobody with these capabilities. */
function nobody(capabilities: string): string[] {
  const uid = 65_534;
  return [
    ...["CapAmb", "CapBnd", "CapEff", "CapInh", "CapPrm"].map((it) => `${it}:\t${capabilities}`),
    `Gid:\t${uid}\t${uid}\t${uid}\t${uid}`,
    `Groups:\t${uid} `,
    "NoNewPrivs:\t1",
    `Uid:\t${uid}\t${uid}\t${uid}\t${uid}`,
  ];
}

Deno.test({
  name: `--user nobody: port 80, one capability in every thread; reload, ipvsadm and state work${skipped}`,
  ignore: reason !== undefined && !isPromised,
  fn: async (t) => {
    assert.equal(reason, undefined);
    await using installed = await Installed.create();
    const file = installed.path("lvsd.yaml");
    const state = installed.path("state/rules");
    await Deno.writeTextFile(file, config(80));
    await using server = installed.start([installed.path("deno"), "eval", SERVER]);
    await server.says(/serving/);
    const words = ["run", "-c", file, "--user", "nobody"];
    await using lvsd = installed.start(installed.lvsd([...words, "--state", state]));
    await lvsd.says(/ ready: .*control \/run\/lvsd\/control\.sock/);

    await t.step("port 80 is served", async () => {
      assert.equal(await lvsd.beside(["curl", "-sS", "http://127.0.0.1/"]), "hello");
    });
    await t.step("every thread is nobody's, with CAP_NET_BIND_SERVICE alone", () => {
      assert.match(lvsd.log, /engine native/, "there are worker threads among them");
      assert.deepEqual(lvsd.credentials(CREDENTIALS), nobody("0000000000000400"));
    });
    await t.step("root's lvsd finds it, and a reload opens another low port", async () => {
      await Deno.writeTextFile(file, config(80, 81));
      await lvsd.beside(installed.lvsd(["reload"]));
      assert.equal(await lvsd.beside(["curl", "-sS", "http://127.0.0.1:81/"]), "hello");
    });
    await t.step("ipvsadm changes it, and the state file is nobody's", async () => {
      await lvsd.beside(installed.lvsd(["ipvsadm", "-A", "-t", "127.0.0.1:82"]));
      assert.match(await Deno.readTextFile(state), /-A -t 127\.0\.0\.1:82/);
      const { uid, mode } = await Deno.stat(state);
      assert.deepEqual([uid, (mode ?? 0) & 0o777], [65_534, 0o600]);
    });
    await t.step("it drains at a signal", async () => {
      assert.equal(await lvsd.end(), 0);
      assert.match(lvsd.log, /draining/);
    });

    await t.step("without a low port no capability is left; the permissions of its config do", async () => {
      await Deno.writeTextFile(file, config(8_080));
      const listed = await server.beside(installed.lvsd(["permissions", file]));
      await using plain = installed.start(installed.lvsd(words, listed.trim().split(" ")));
      await plain.says(/ ready: /);
      assert.match(plain.log, /engine native/);
      assert.doesNotMatch(plain.log, /--allow/);
      assert.deepEqual(plain.credentials(CREDENTIALS), nobody("0000000000000000"));
    });
    await t.step("what the user may not read or write is told before anything opens", async () => {
      const foreign = installed.path("foreign");
      await Deno.mkdir(foreign, { mode: 0o755 });
      await refuses(
        [...words, "--state", `${foreign}/rules`],
        /user nobody cannot write into .*foreign; chown nobody /,
      );
      await Deno.chmod(file, 0o600);
      await refuses(words, /user nobody cannot read .*lvsd\.yaml; a reload would fail: chgrp .* chmod g\+r/);
      await refuses(["run", "--user", "nosuch"], /this host knows no user "nosuch"; see: getent passwd/);
      await refuses(["run", "--group", "nogroup"], /--group goes with --user NAME/, 2);
    });
    await t.step("root does not run a file that others may write", async () => {
      await Deno.chmod(file, 0o666);
      await refuses(["run", "-c", file], /lvsd\.yaml is writable by everybody \(mode 0666\).* chmod go-w /);
    });
    async function refuses(words: string[], message: RegExp, code = 3): Promise<void> {
      await using started = installed.start(installed.lvsd(words));
      assert.equal((await started.process.status).code, code, started.log);
      await started.says(message);
      assert.doesNotMatch(started.log, /\n {4}at /);
    }
  },
});
