/** Mistakes on the command line and in the surroundings are answered in words, with the documented exit code. */
import assert from "node:assert/strict";
import { EXIT } from "../../errors.ts";
import { freePort } from "../peers/free_port.ts";
import { lvsdCommand, lvsdProgram } from "../peers/lvsd_command.ts";

function lvsd(...words: string[]): Promise<{ code: number; text: string }> {
  return lvsdWith(`${Deno.makeTempDirSync()}/control.sock`, ...words);
}

async function lvsdWith(socket: string, ...words: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await lvsdProgram(words, {
    env: { NO_COLOR: "1", LVSD_SOCKET: socket },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.doesNotMatch(text, /^\s+at /m, "a stack trace for a mistake of the user's");
  return { code, text };
}

const ROWS: { words: string[]; code: number; says: RegExp }[] = [
  { words: [], code: EXIT.usage, says: /Usage: lvsd COMMAND/ },
  { words: ["--help"], code: EXIT.ok, says: /lvsd run --tcp :8080/ },
  { words: ["--version"], code: EXIT.ok, says: /^lvsd \d/ },
  { words: ["rnu"], code: EXIT.usage, says: /no command "rnu".*did you mean "run"/ },
  { words: ["run", "--to", "127.0.0.1:1"], code: EXIT.usage, says: /--tcp or --udp is missing/ },
  { words: ["run", "--tpc", ":1"], code: EXIT.usage, says: /--tpc.*did you mean "--tcp"/ },
  { words: ["run", "--tpc", ":1"], code: EXIT.usage, says: /\nTry: lvsd run --help\n$/ },
  { words: ["rnu"], code: EXIT.usage, says: /\nTry: lvsd --help\n$/ },
  {
    words: ["explain"],
    code: EXIT.usage,
    says: /explain takes 1 to 5 arguments, got none; write lvsd explain FLOW .*\n/,
  },
  {
    words: ["status", "a", "b"],
    code: EXIT.usage,
    says: /status takes no arguments, got 2: a b; write lvsd status .*\n/,
  },
  {
    words: ["demo", "--traffic", "-1"],
    code: EXIT.usage,
    says: /^lvsd: demo: --traffic .*--traffic=-VALUE\nTry/,
  },
  { words: ["demo", "--traffic=-1"], code: EXIT.usage, says: /--traffic takes a whole number, not "-1"/ },
  { words: ["help", "rnu"], code: EXIT.usage, says: /no command "rnu".*did you mean "run"/ },
  { words: ["help", "rules"], code: EXIT.ok, says: /^lvsd rules - / },
  { words: ["--versoin"], code: EXIT.usage, says: /"--versoin" stands where .*did you mean "--version"\?\n/ },
  { words: ["run", "--tcp"], code: EXIT.usage, says: /^lvsd: run: --tcp needs a value\nTry/ },
  { words: ["run", "--watch=1"], code: EXIT.usage, says: /^lvsd: run: --watch takes no value\nTry/ },
  { words: ["status", "--url", "foo"], code: EXIT.usage, says: /^lvsd: --url: "foo" is not a URL/ },
  { words: ["explain", "tcpp", "1.2.3.4:5", ":80"], code: EXIT.usage, says: /^lvsd: FLOW: .* is no flow/ },
  {
    words: ["explain", "1.2.3.4:5", ":80", "--packet", "--bytes", "x"],
    code: EXIT.usage,
    says: /--bytes "x" is not a whole number from 1 to 65535/,
  },
  {
    words: ["doctor", "--backend", "--vip", "10.300.1.1"],
    code: EXIT.usage,
    says: /^lvsd: --vip: "10\.300\.1\.1"/,
  },
  {
    words: ["doctor", "--backend", "--vip", "10.1.0.100", "--mode", "drr"],
    code: EXIT.usage,
    says: /no mode "drr"; there are nat, dr, tun; did you mean "dr"\?\n/,
  },
  {
    words: ["doctor", "--backend", "--vip", "127.0.0.1"],
    code: EXIT.usage,
    says: /^lvsd: --vip: 127\.0\.0\.1 is every host's own loopback address/,
  },
  {
    words: ["realserver", "dr", "--vip", "10.1.0.100, ::1", "--undo"],
    code: EXIT.usage,
    says: /^lvsd: --vip: ::1 is every host's own loopback address/,
  },
  {
    words: ["sysctl", "drop_entry", "=", "1"],
    code: EXIT.usage,
    says: /^lvsd: sysctl: "=" has no name; write/,
  },
  { words: ["run", "-c", ""], code: EXIT.usage, says: /^lvsd: run: --config is empty; name a file\n/ },
  {
    words: ["status", "--socket", ""],
    code: EXIT.usage,
    says: /^lvsd: status: --socket is empty; name a file\n/,
  },
  {
    words: ["explain", "10.0.0.7:1", "->", ":80", "-c", "/nope"],
    code: EXIT.unavailable,
    says: /no file \/nope/,
  },
  { words: ["realserver", "dr", "--vip", "foo"], code: EXIT.usage, says: /^lvsd: --vip: "foo"/ },
  {
    words: ["realserver", "dr", "--vip", "10.1.0.100", "--check", "--undo"],
    code: EXIT.usage,
    says: /--check and --undo exclude each other/,
  },
  {
    words: ["simulate", "/does/not/exist"],
    code: EXIT.unavailable,
    says: /^lvsd: there is no file \/does\/not\/exist\n$/,
  },
  {
    words: ["import", "/does/not/exist"],
    code: EXIT.unavailable,
    says: /^lvsd: there is no file \/does\/not\/exist\n$/,
  },
  { words: ["ipvsadm", "--help"], code: EXIT.ok, says: /^ipvsadm v1\.31 .*\nUsage:\n/ },
  { words: ["proc", "ip_vs_con"], code: EXIT.usage, says: /did you mean "ip_vs_conn"/ },
  { words: ["ipvsadm", "-L", "-n"], code: 2, says: /^Can't initialize ipvs: no lvsd is listening at/ },
  { words: ["run", "-c", "/does/not/exist.yaml"], code: EXIT.unavailable, says: /exist\.yaml/ },
  { words: ["run", "--tcp", ":0", "--to", "127.0.0.1:1", "-s", "wcl"], code: EXIT.usage, says: /wlc/ },
  { words: ["run", "--tcp", "1.2.3.4.5:1", "--to", "127.0.0.1:1"], code: EXIT.usage, says: /1\.2\.3\.4\.5/ },
  { words: ["run", "-c", "x", "--tcp", ":1"], code: EXIT.usage, says: /cannot go with/ },
  {
    words: ["run", "--admin", "off", "--state", "/nonexistent/x"],
    code: EXIT.unavailable,
    says: /state file \/nonexistent\/x cannot be written: there is no folder \/nonexistent; make it/,
  },
  {
    words: ["run", "--tcp", "192.0.2.1:0", "--to", "127.0.0.1:1", "--admin", "off"],
    code: EXIT.unavailable,
    says: /192\.0\.2\.1:0 is not an address of this host/,
  },
];

for (const { words, code, says } of ROWS) {
  Deno.test(`lvsd ${words.join(" ")}: exit ${code}`, async () => {
    const outcome = await lvsd(...words);
    assert.match(outcome.text, says);
    assert.equal(outcome.code, code, outcome.text);
  });
}

Deno.test("an address where something else answers is no daemon", async () => {
  await using other = Deno.serve({ port: 0, onListen: () => {} }, () => new Response("no", { status: 404 }));
  for (const command of ["status", "rules", "reload", "record", "sysctl"]) {
    const { code, text } = await lvsd(command, "--url", `http://127.0.0.1:${other.addr.port}`);
    assert.match(text, /answered with status 404 and something that is not lvsd's; check the address\n$/);
    assert.equal(code, EXIT.unavailable, command);
  }
});

Deno.test("output that nobody reads any more ends a command as SIGPIPE does, without a word", async () => {
  const child = lvsdProgram(["schema"], { stdout: "piped", stderr: "piped" }).spawn();
  await child.stdout.cancel();
  const said = await new Response(child.stderr).text();
  assert.deepEqual({ code: (await child.status).code, said }, { code: 141, said: "" });
});

Deno.test("output that cannot be written is told in words", async () => {
  const [program, ...words] = lvsdCommand(["schema"]);
  const shell = new Deno.Command("sh", { args: ["-c", 'exec "$0" "$@" > /dev/full', program, ...words] });
  const { code, stderr } = await shell.output();
  assert.match(
    new TextDecoder().decode(stderr),
    /^lvsd: standard output cannot be written: No space left[^\n]*\n$/,
  );
  assert.equal(code, EXIT.unavailable);
});

Deno.test("a port in use and an admin port in use are named, with what to do", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const address = `127.0.0.1:${taken.addr.port}`;
    const service = await lvsd("run", "--tcp", address, "--to", "127.0.0.1:1", "--admin", "off");
    assert.equal(service.code, EXIT.unavailable, service.text);
    assert.match(service.text, /is taken by another program/);
    const free = await freePort();
    const admin = await lvsd("run", "--tcp", `127.0.0.1:${free}`, "--to", "127.0.0.1:1", "--admin", address);
    assert.equal(admin.code, EXIT.unavailable, admin.text);
    assert.match(admin.text, /admin address .* is in use/);
  } finally {
    taken.close();
  }
});

Deno.test("demo: balances real traffic, says who got how many, and ends clean", async () => {
  const { code, text } = await lvsd("demo", "--traffic", "40", "--seconds", "4");
  assert.equal(code, EXIT.ok, text);
  // In one column, however long an address is.
  const meanings = ["HTTP over TCP", "one line over UDP", "everything as JSON", "the same as a table"];
  const places = meanings.map((it) => text.split("\n").find((line) => line.includes(it))?.indexOf(it));
  assert.equal(new Set(places).size, 1, text);
  assert.match(text, /curl http:\/\/127\.0\.0\.1:\d+/);
  assert.match(text, /web-3 +127\.0\.0\.1:\d+ +tcp +weight 2 +up/);
  const lines = text.split("\n").filter((it) => /^\d\d:\d\d:\d\d/.test(it));
  assert.ok(lines.length >= 2, text);
  const counts = [...(lines.at(-1) ?? "").matchAll(/web-\d (\d+)/g)].map((it) => Number(it[1]));
  assert.equal(counts.length, 3, text);
  assert.ok(counts.every((it) => it > 0), lines.at(-1));
});

Deno.test({
  name: "demo: beside another lvsd it takes a control socket of its own, and says which",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    const other = Deno.listen({ transport: "unix", path: `${folder}/control.sock` });
    try {
      const { code, text } = await lvsdWith(`${folder}/control.sock`, "demo", "--seconds", "1");
      assert.equal(code, EXIT.ok, text);
      const [, own = ""] = /lvsd status --socket (\S+)/.exec(text) ?? [];
      assert.match(own, /lvsd-demo-.*control\.sock$/);
      assert.match(text, /taken by another lvsd/);
      assert.throws(() => Deno.statSync(own), Deno.errors.NotFound, "its folder is gone with it");
    } finally {
      other.close();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
