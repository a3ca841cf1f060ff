/** Every feature of docs/deploy.md with exactly the permissions listed for it, and with each of them left out. */
import assert from "node:assert/strict";
import { loadConfig } from "../../config/load.ts";
import { permissionsFor } from "../../daemon/permissions.ts";
import { freePort } from "../peers/free_port.ts";
import { LvsdProcess } from "../peers/lvsd_process.ts";
import { startEcho } from "./echo_servers.ts";
import { askOnce, type Everything, everything } from "./permissions_config.ts";
import {
  EVERY_COMMAND,
  type Lack,
  PROGRAM,
  said,
  type Start,
  tableKeys,
  without,
} from "./permissions_setting.ts";

const ignore = Deno.build.os !== "linux";
/** What of the table a test has left out. */
const tried = new Set<string>();

function test(name: string, run: (t: Deno.TestContext, folder: string) => Promise<void>): void {
  Deno.test({
    name: `permissions: ${name}`,
    ignore,
    async fn(t) {
      const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "lvsd-permissions-" }));
      try {
        await run(t, folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** All of them do; each of them left out is told by its name. */
async function tryAll(t: Deno.TestContext, start: Start, lacks: readonly Lack[]): Promise<void> {
  await t.step(`${start.words.join(" ").slice(0, 40)}: with all`, async () => {
    const text = await said(start);
    for (const it of start.says) assert.match(text, it);
    assert.doesNotMatch(text, /--allow|unbound|defect|\n {4}at /);
  });
  await tryLacks(t, start, lacks);
}

async function tryLacks(t: Deno.TestContext, start: Start, lacks: readonly Lack[]): Promise<void> {
  for (const lack of lacks) {
    const { feature, permission, says } = lack;
    tried.add(`${feature}: ${permission}`);
    await t.step(`${feature}: without ${permission}`, async () => {
      const text = await said(without(start, lack), [says]);
      assert.match(text, says);
      assert.doesNotMatch(text, /\n {4}at |defect/);
    });
  }
}

test("lvsd run, a config with everything", async (t, folder) => {
  await using stack = new AsyncDisposableStack();
  const uses = await everything(stack, folder);
  const { text } = uses;
  const file = `${folder}/config/lvsd.yaml`;
  const stateFile = `${folder}/state/rules`;
  const env = { LVSD_TEST_WORD: "ping" };
  const config = loadConfig(text.replaceAll("STATE", "up"), file, () => "ping");
  const variables = Object.keys(env);
  const start: Start = {
    flags: permissionsFor(config, { variables, socketPath: undefined, stateFile, hasFfi: true }),
    words: ["run", "-c", file, "--state", stateFile],
    says: [
      / ready: /,
      /dialled is up/,
      /asked is up/,
      /datagrams-0 is up/,
      /datagrams-1 is up/,
      /engine native/,
    ],
    env,
  };
  // Down at first: that they are up is then said.
  await Deno.writeTextFile(file, text.replaceAll("STATE", "down"));
  await tryAll(t, start, []);

  // The socket of the one just killed is still there, so that its successor asks whether anybody listens.
  await Deno.writeTextFile(file, text.replaceAll("STATE", "up"));
  const asking = setInterval(() => void askOnce(uses.dns), 50);
  stack.defer(() => clearInterval(asking));
  await tryLacks(t, start, runLacks(folder, uses));
});

const ADDRESS = "--allow-net=ADDRESS:PORT";
const SERVICE = "a service, the admin address";
const UDP = "a service over UDP";
const CONTROL = "the control socket";
const EXEC = "health checks of type `exec`";
const NATIVE = "the native and the packet engine, systemd, the limit of descriptors";

function lackOf(feature: string, permission: string, value: string | undefined, says: RegExp): Lack {
  return value === undefined ? { feature, permission, says } : { feature, permission, value, says };
}

function runLacks(folder: string, { echo, web, dns, admin, keyFile }: Everything): Lack[] {
  const socket = `unix:${folder}/run/control.sock`;
  const rows: [feature: string, permission: string, value: string | undefined, says: RegExp][] = [
    ["`lvsd run`", "--allow-sys=uid", undefined, /sys access to "uid".*--allow-sys/],
    ["`lvsd run`", "--allow-sys=networkInterfaces", undefined, /"networkInterfaces".*--allow-sys/],
    ["a config file, `--watch`", "--allow-read=FOLDER", `${folder}/config`, /lvsd\.yaml.*--allow-read/],
    ["`${NAME}` in it", "--allow-env=NAME", "LVSD_TEST_WORD", /env access to "LVSD_TEST_WORD".*--allow-env/],
    [SERVICE, ADDRESS, `127.0.0.1:${web}`, /unbound.*service "web": Deno does not allow net .*--allow-net/],
    [SERVICE, ADDRESS, `127.0.0.1:${dns}`, /unbound.*service "dns": Deno does not allow net .*--allow-net/],
    [SERVICE, ADDRESS, `127.0.0.1:${admin}`, new RegExp(`net access to "127.0.0.1:${admin}".*--allow-net`)],
    ["a destination by address", ADDRESS, echo, /dialled is down: permission .*--allow-net/],
    [
      "a destination with `tunnelTo`",
      ADDRESS,
      "127.0.0.3:7100",
      /start it with --allow-net=127.0.0.3:7100 too/,
    ],
    [
      "a destination with `tunnelTo`",
      "--allow-read=KEYFILE",
      keyFile,
      /start it with --allow-read=\S+tunnel too/,
    ],
    ["a destination with `handOver`", "--allow-ffi", undefined, /unbound.*--allow-ffi was not given/],
    [
      UDP,
      "--allow-net=0.0.0.0:0",
      undefined,
      /no socket for a new client: Deno .*"0\.0\.0\.0:0".*--allow-net/,
    ],
    [UDP, "--allow-net=[::]:0", undefined, /start it with --allow-net=\[::\]:0 too/],
    [CONTROL, "--allow-read=FOLDER", `${folder}/run`, /read access to ".*\/run.*--allow-read/],
    [CONTROL, "--allow-write=FOLDER", `${folder}/run`, /write access to ".*\/run.*--allow-write/],
    [CONTROL, "--allow-net=unix:PATH", socket, /net access to "unix:.*--allow-net/],
    [CONTROL, "--allow-net=unix:PATH~/s", `${socket}~/s`, /net access to "unix:.*~\/s".*--allow-net/],
    ["`--state FILE`", "--allow-read=FOLDER", `${folder}/state`, /state file .*--allow-read/],
    ["`--state FILE`", "--allow-write=FOLDER", `${folder}/state`, /state file .*--allow-write/],
    [EXEC, "--allow-run=PROGRAM", "/bin/true", /asked is down: permission .*--allow-run/],
    [EXEC, "--allow-env=PATH", undefined, /asked is down: permission .*env access to "PATH".*--allow-env/],
    [
      NATIVE,
      "--allow-ffi",
      undefined,
      /engine portable for TCP and UDP: the native engine needs --allow-ffi/,
    ],
    [NATIVE, "--allow-read=PROGRAM", PROGRAM, /the native engine needs --allow-read=\S+ for its workers/],
    [
      "noticing that no descriptor is left",
      "--allow-read=/dev/null",
      undefined,
      /with --allow-read=\/dev\/null/,
    ],
  ];
  return rows.map((row) => lackOf(...row));
}

test("a destination by name, and --user", async (t, folder) => {
  const file = `${folder}/lvsd.yaml`;
  const services = [{ name: "web", listen: "127.0.0.1:0", destinations: ["localhost:9"] }];
  const text = JSON.stringify({ admin: { listen: "off", socket: "off" }, services });
  await Deno.writeTextFile(file, text);
  const config = loadConfig(text, file, () => undefined);
  const start: Start = {
    flags: permissionsFor(config, { variables: [], socketPath: undefined, hasFfi: true }),
    words: ["run", "-c", file],
    says: [/ ready: /, /localhost is 127/],
  };
  const named = "a destination by name";
  await tryAll(t, start, [
    { feature: named, permission: "--allow-net", says: /localhost has no address.*"localhost".*--allow-net/ },
  ]);
  // That it works with these is tests/integration/user_test.ts.
  const user = { ...start, words: [...start.words, "--user", "nobody"] };
  await tryLacks(t, user, [{
    feature: "`--user`",
    permission: "--allow-ffi",
    says: /--allow-ffi was not given/,
  }]);
});

test("the packet engine", async (t, folder) => {
  const file = `${folder}/lvsd.yaml`;
  const packet = { interfaces: [{ name: "lo", addresses: ["10.9.0.1/24"] }] };
  const service = { name: "web", require: "real", listen: "10.9.0.2:80", mode: "dr", healthCheck: "off" };
  const services = [{ ...service, destinations: ["10.9.0.3"] }];
  const text = JSON.stringify({ admin: { listen: "off", socket: "off" }, packet, services });
  await Deno.writeTextFile(file, text);
  const flags = permissionsFor(loadConfig(text, file, () => undefined), {
    variables: [],
    socketPath: undefined,
    hasFfi: true,
  });
  // That it works with these, and as root, is tests/integration/packet_daemon_test.ts.
  await tryLacks(t, { flags, words: ["run", "-c", file], says: [] }, [
    { feature: NATIVE, permission: "--allow-ffi", says: /the packet engine needs --allow-ffi/ },
    {
      feature: NATIVE,
      permission: "--allow-read=PROGRAM",
      value: PROGRAM,
      says: /the packet engine needs --allow-read=\S+ for its workers/,
    },
  ]);
});

test("commands that ask a daemon", async (t, folder) => {
  await using lvsd = await LvsdProcess.start({ services: [] });
  const path = lvsd.controlSocket;
  const file = `${folder}/today.lvs`;
  const asking = [
    EVERY_COMMAND,
    "--allow-sys=uid",
    `--allow-read=${path}`,
    `--allow-write=${path}`,
    `--allow-net=unix:${path}`,
  ];
  const status = { flags: asking, words: ["status"], says: [/0 services|ready/], env: { LVSD_SOCKET: path } };
  const feature = "`lvsd status` and others that ask a daemon";
  await tryAll(t, status, [
    { feature, permission: "--allow-sys=uid", says: /sys access to "uid".*--allow-sys/ },
    { feature, permission: "--allow-read=PATH", value: path, says: /read access to ".*--allow-read/ },
    { feature, permission: "--allow-write=PATH", value: path, says: /write access to ".*--allow-write/ },
    { feature, permission: "--allow-net=unix:PATH", value: `unix:${path}`, says: /"unix:.*--allow-net/ },
  ]);
  const record = {
    ...status,
    flags: asking.map((it) => it.startsWith("--allow-write") ? `${it},${file}` : it),
    words: ["record", "-o", file],
    says: [],
  };
  await tryAll(t, record, [{
    feature: "`lvsd record -o FILE`",
    permission: "--allow-write=FILE",
    value: file,
    says: /today\.lvs.*--allow-write/,
  }]);
  assert.match(await Deno.readTextFile(file), /^# /);
});

test("a check that verifies a certificate", async (t, folder) => {
  await using stack = new AsyncDisposableStack();
  const { address } = stack.use(await startEcho());
  const file = `${folder}/lvsd.yaml`;
  const services = [{
    name: "web",
    listen: `127.0.0.1:${await freePort()}`,
    healthCheck: { type: "https", verify: true, interval: "100ms", initialState: "up" },
    destinations: [{ name: "secure", address }],
  }];
  const text = JSON.stringify({ admin: { listen: "off", socket: "off" }, services });
  await Deno.writeTextFile(file, text);
  const config = loadConfig(text, file, () => undefined);
  const own = permissionsFor(config, { variables: [], socketPath: undefined, hasFfi: false });
  assert.ok(own.includes("--allow-sys"));
  // It is no server of TLS, but it was asked.
  const start = { flags: own, words: ["run", "-c", file], says: [/secure is down: tls /] };
  await t.step("with it", async () => assert.match(await said(start), /secure is down: tls /));
  // What every config needs stays.
  const flags = own.map((it) => it === "--allow-sys" ? "--allow-sys=uid,networkInterfaces" : it);
  const refused = /secure is down: permission Requires sys access to "ca".*--allow-sys/;
  await t.step("without it", async () => {
    const text = await said({ ...start, flags }, [refused]);
    assert.match(text, refused);
    assert.doesNotMatch(text, /\n {4}at |defect/);
  });
  tried.add("health checks of type `https` with `verify: true`: --allow-sys");
});

test("commands that read a file, and the doctor", async (t, folder) => {
  const file = `${folder}/lvsd.yaml`;
  await Deno.writeTextFile(file, JSON.stringify({ services: [{ name: "web", listen: "127.0.0.1:9" }] }));
  const check = "`lvsd check FILE`";
  const flags = [EVERY_COMMAND, "--allow-sys=uid", `--allow-read=${folder}`];
  await tryAll(t, { flags, words: ["check", file], says: [/: ok, 1 service/] }, [
    { feature: check, permission: "--allow-sys=uid", says: /sys access to "uid".*--allow-sys/ },
    { feature: check, permission: "--allow-read=FOLDER", value: folder, says: /lvsd\.yaml.*--allow-read/ },
  ]);
  const script = `${folder}/one.lvs`;
  const rules = `${folder}/rules`;
  await Deno.writeTextFile(script, "service tcp:10.0.0.1:80 wlc\n");
  await Deno.writeTextFile(rules, "-A -t 10.0.0.1:80 -s wlc\n");
  const readers: [words: string[], read: string, says: RegExp][] = [
    [["simulate", script], script, /0 not as expected/],
    [["explain", "-c", file, "192.0.2.7:40000", "web"], file, /scheduler wlc/],
    [["import", rules], rules, /10\.0\.0\.1:80/],
  ];
  const feature = "`lvsd simulate FILE`, `explain -c FILE`, `import FILE`";
  for (const [words, read, says] of readers) {
    await tryAll(t, { flags: [EVERY_COMMAND, `--allow-read=${read}`], words, says: [says] }, [
      { feature, permission: "--allow-read=FILE", value: read, says: /read.*--allow-read/ },
    ]);
  }
  const doctor = { flags: ["--allow-all"], words: ["doctor"], says: [/(something|nothing) is missing/] };
  await tryAll(t, doctor, []);
  const some = { ...doctor, flags: [EVERY_COMMAND, "--allow-sys", "--allow-read", "--allow-all"] };
  await tryLacks(t, some, [
    { feature: "`lvsd doctor`", permission: "--allow-all", says: /blind: Deno .*\n.*--allow-all/ },
  ]);
});

test("real servers", async (t, folder) => {
  const run = "--allow-run=ip,sysctl";
  // A network of its own, where lo is all there is.
  const alone = { under: ["unshare", "--net", "--map-root-user"], says: [/^ready for/m] };
  const vip = ["--vip", "10.9.9.9", "--interface", "lo"];
  const dr = { ...alone, flags: [EVERY_COMMAND, run], words: ["realserver", "dr", ...vip] };
  const lacksRun = (feature: string): Lack[] =>
    ["ip", "sysctl"].map((it) => ({
      feature,
      permission: `--allow-run=${it}`,
      says: new RegExp(`run access to "${it}".*--allow-run`),
    }));
  await tryAll(t, dr, lacksRun("`lvsd realserver dr`"));
  const feature = "`lvsd realserver tun`";
  const tun = {
    ...alone,
    flags: [EVERY_COMMAND, run, "--allow-ffi", `--allow-read=${PROGRAM}`],
    words: ["realserver", "tun", ...vip],
  };
  await tryAll(t, tun, [
    ...lacksRun(feature),
    { feature, permission: "--allow-ffi", says: /--allow-ffi/ },
    { feature, permission: "--allow-read=PROGRAM", value: PROGRAM, says: /tunnel_worker\.ts.*--allow-read/ },
  ]);
  await trySockets(t, folder);
});

async function trySockets(t: Deno.TestContext, folder: string): Promise<void> {
  const path = `${folder}/receiver`;
  const receive = "`lvsd realserver --receive PATH`";
  const receiver = {
    flags: [EVERY_COMMAND, "--allow-ffi", `--allow-read=${path}`, `--allow-write=${path}`],
    words: ["realserver", "--receive", path, "--to", "127.0.0.1:9"],
    says: [/^ready: /],
  };
  await tryAll(t, receiver, [
    { feature: receive, permission: "--allow-ffi", says: /--allow-ffi was not given/ },
    { feature: receive, permission: "--allow-read=PATH", value: path, says: /read access to .*--allow-read/ },
    {
      feature: receive,
      permission: "--allow-write=PATH",
      value: path,
      says: /write access to .*--allow-write/,
    },
  ]);
  const keyFile = `${folder}/key`;
  await Deno.writeTextFile(keyFile, "0123456789abcdef", { mode: 0o600 });
  const tunnel = "`lvsd realserver --tunnel ADDRESS`";
  const at = `127.0.0.1:${await freePort()}`;
  const peer = {
    flags: [EVERY_COMMAND, `--allow-net=${at},127.0.0.1:9,0.0.0.0:0`, `--allow-read=${keyFile}`],
    words: ["realserver", "--tunnel", at, "--key-file", keyFile, "--to", "127.0.0.1:9"],
    says: [/^ready: /],
  };
  const net = (permission: string, value: string): Lack => ({
    feature: tunnel,
    permission: `--allow-net=${permission}`,
    value,
    says: new RegExp(`net access to "${value}".*--allow-net`),
  });
  await tryAll(t, peer, [
    net("ADDRESS:PORT", at),
    net("SERVER:PORT", "127.0.0.1:9"),
    net("0.0.0.0:0", "0.0.0.0:0"),
    { feature: tunnel, permission: "--allow-read=KEYFILE", value: keyFile, says: /key.*--allow-read/ },
  ]);
}

test("every command's variables", async (t, folder) => {
  const file = `${folder}/lvsd.yaml`;
  await Deno.writeTextFile(file, "{}");
  const flags = [EVERY_COMMAND, "--allow-sys", "--allow-read", "--allow-net", "--allow-write", "--allow-ffi"];
  const run = ["run", "--admin", "off", "--tcp", "127.0.0.1:0", "--to", "127.0.0.1:9"];
  const managed = { NOTIFY_SOCKET: `${folder}/none`, LVSD_SOCKET: `${folder}/control.sock` };
  const starts: [words: string[], variables: string[], more: Partial<Start>][] = [
    [["--version"], ["LVSD_BUILD"], {}],
    [["status"], ["LVSD_SOCKET", "TEMP", "TMP", "TMPDIR"], {}],
    // Who is not root has a folder of his own; in a namespace without a map nobody is root.
    [["status"], ["XDG_RUNTIME_DIR"], { under: ["unshare", "--user"] }],
    [["status", "--url", "http://127.0.0.1:9"], ["LVSD_TOKEN"], {}],
    [["check", file], ["LOG_STREAM", "LOG_TOKENS"], {}],
    [run, ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"], { env: managed }],
  ];
  const lack = (variable: string): Lack => ({
    feature: "every command",
    permission: `--allow-env=${variable}`,
    says: new RegExp(`env access to "${variable}".*--allow-env`),
  });
  for (const [words, variables, more] of starts) {
    await tryLacks(t, { flags, words, says: [], ...more }, variables.map(lack));
  }
});

Deno.test({
  name: "permissions: every one of the table was left out once",
  ignore,
  fn: () => assert.deepEqual(tableKeys().filter((it) => !tried.has(it)), []),
});
