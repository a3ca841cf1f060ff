/**
 * `lvsd status` and `lvsd reload` against a real control socket, as a person and as a script see them.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseArgs } from "node:util";
import { reload } from "../../../cli/reload.ts";
import { rules } from "../../../cli/rules.ts";
import { status } from "../../../cli/status.ts";
import { formatStatus } from "../../../cli/status_text.ts";
import { alignColumns, counted, formatBytes, formatSeconds, printable } from "../../../cli/table.ts";
import { LvsdError } from "../../../errors.ts";
import { openSocket, openTcp, SocketDirectory } from "../admin/doors.ts";
import { destinationStatus, directorStatus, FakeSource, serviceStatus } from "../admin/fake_source.ts";

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function lvsd(
  words: readonly string[],
  env: Record<string, string> = {},
  isTerminal = false,
): Promise<Run> {
  const [name, ...args] = words;
  const command = new Map(Object.entries({ status, reload, rules })).get(String(name));
  assert.ok(command);
  let out = "";
  let err = "";
  const context = {
    stdout: (text: string) => void (out += text),
    stderr: (text: string) => void (err += text),
    env: (variable: string) => env[variable],
    isTerminal,
  };
  try {
    const code = await command.run(
      parseArgs({ args, options: command.options, allowPositionals: true }),
      context,
    );
    return { code, out, err };
  } catch (error) {
    if (!(error instanceof LvsdError)) throw error;
    return { code: error.exitCode, out, err: `${err}${error.message}\n` };
  }
}

const PAGE = `\
lvsd 9.9.9, pid 4242, up 1h 2m, not ready
config /etc/lvsd.yaml, generation 3
engine portable: no permission for FFI
time-outs tcp 900 s, tcpfin 120 s, udp 300 s
connection entries 5 of 262144, memory 76.3 MiB
reload 2026-01-02T03:05:00.000Z refused: 1 mistake, nothing changed
drops outside of services: no-service 4
not ready: dns: no live server

web  tcp 127.0.0.1:8080  wlc nat portable persistent 300 s /32  listening
  2 live, 7 connections, 700 B in, 800 B out
  emulated: DR needs the packet engine
  sorry server 127.0.0.1:9: active
  drops: no-destination 1
  ends: done 5, client-reset 1
  Destination       State           Weight  ActiveConn  InActConn  Conns     In    Out  Health
  127.0.0.1:3001    up                   1           2          3      7  700 B  800 B  200, for 1m 1s
  b 127.0.0.1:3002  down            0 of 3           2          3      7  700 B  800 B  refused: nobody there, for 5s
  127.0.0.1:3003    up, overloaded       1           2          3      7  700 B  800 B

dns  udp 127.0.0.1:53  rr nat portable one-packet  unbound: address in use
  2 live, 7 connections, 700 B in, 800 B out, 70 packets in, 80 out
  drops: no-destination 1
  ends: done 5, client-reset 1
  no destinations
`;

const STATUS = directorStatus({
  pid: 4_242,
  configGeneration: 3,
  lastReload: { atWall: "2026-01-02T03:05:00.000Z", ok: false, message: "1 mistake, nothing changed" },
  services: [
    serviceStatus({
      persistence: { timeoutSeconds: 300, prefixLength: 32 },
      emulated: true,
      emulatedReason: "DR needs the packet engine",
      sorryServer: { address: "127.0.0.1:9", active: true },
      destinations: [
        destinationStatus(),
        destinationStatus({
          name: "b",
          address: "127.0.0.1:3002",
          state: "down",
          effectiveWeight: 0,
          configuredWeight: 3,
          health: {
            up: false,
            reason: "refused",
            detail: "nobody there",
            sinceSeconds: 5,
            lastCheckWall: null,
            history: [],
          },
        }),
        destinationStatus({
          name: "127.0.0.1:3003",
          address: "127.0.0.1:3003",
          overloaded: true,
          health: null,
        }),
      ],
    }),
    serviceStatus({
      name: "dns",
      protocol: "udp",
      listen: "127.0.0.1:53",
      scheduler: "rr",
      onePacket: true,
      state: "unbound",
      stateReason: "address in use",
      packetsCounted: true,
      destinations: [],
    }),
  ],
});
const NOT_READY = { ready: false, problems: [{ service: "dns", reason: "no live server" }] };

const UNIX = Deno.build.os !== "windows";

function socketTest(name: string, fn: (socket: string, source: FakeSource) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !UNIX,
    fn: async () => {
      using directory = new SocketDirectory();
      const source = new FakeSource();
      await using _door = await openSocket(directory.socketPath, source);
      await fn(directory.socketPath, source);
    },
  });
}

Deno.test("lvsd status: the page", () => {
  assert.equal(formatStatus(STATUS, NOT_READY, { colour: false }), PAGE);
});

Deno.test("lvsd status: a worker that kept everybody waiting is told", () => {
  const text = (longestTurnSeconds: number) => {
    const workers = [{ worker: 2, turns: 9, busySeconds: 1, longestTurnSeconds, connections: 3 }];
    return formatStatus(directorStatus({ workers }), { ready: true, problems: [] }, { colour: false });
  };
  assert.match(
    text(0.25),
    /^worker 2 was busy for 250 ms on end lately, and its clients waited: more workers help, or more processors$/m,
  );
  assert.doesNotMatch(text(0.02), /busy for/);
});

Deno.test("lvsd status: colours change nothing but colours", () => {
  const coloured = formatStatus(STATUS, NOT_READY, { colour: true });
  assert.notEqual(coloured, PAGE);
  // deno-lint-ignore no-control-regex
  assert.equal(coloured.replace(/\x1b\[\d+m/g, ""), PAGE);
});

socketTest("lvsd status: exit code 0 when ready, 1 when not", async (socket, source) => {
  source.current = STATUS;
  const ready = await lvsd(["status", "--socket", socket]);
  assert.equal(ready.code, 0);
  assert.match(ready.out, /^lvsd 9\.9\.9, pid 4242, up 1h 2m, ready\n/);
  source.ready = NOT_READY;
  const notReady = await lvsd(["status"], { LVSD_SOCKET: socket });
  assert.deepEqual(notReady, { code: 1, out: PAGE, err: "" });
});

socketTest("lvsd status: colours only on a terminal and without NO_COLOR", async (socket) => {
  const words = ["status", "--socket", socket];
  assert.ok((await lvsd(words, {}, true)).out.includes("\x1b["));
  assert.ok((await lvsd(words, { NO_COLOR: "" }, true)).out.includes("\x1b["));
  assert.ok(!(await lvsd(words, { NO_COLOR: "1" }, true)).out.includes("\x1b["));
  assert.ok(!(await lvsd(words)).out.includes("\x1b["));
});

socketTest("lvsd status --json: the answer of /status", async (socket, source) => {
  const { code, out } = await lvsd(["status", "--json", "--socket", socket]);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(out), source.current);
});

Deno.test("lvsd status --url: over HTTP, the token from LVSD_TOKEN", async () => {
  await using door = openTcp(new FakeSource(), "s3cret");
  const words = ["status", "--url", `http://${door.address}`];
  const refused = await lvsd(words);
  assert.equal(refused.code, 3);
  assert.match(refused.err, /LVSD_TOKEN/);
  assert.equal((await lvsd(words, { LVSD_TOKEN: "s3cret" })).code, 0);
});

Deno.test({
  name: "lvsd status, lvsd reload, lvsd rules: no daemon is exit code 3, with what to do and no stack trace",
  ignore: !UNIX,
  fn: async () => {
    using directory = new SocketDirectory();
    for (const command of ["status", "reload", "rules"]) {
      const { code, out, err } = await lvsd([command, "--socket", directory.socketPath]);
      assert.equal(code, 3);
      assert.equal(out, "");
      assert.match(err, /^no lvsd is listening at .*control\.sock; start one with lvsd run/);
      assert.equal(err.trim().split("\n").length, 1);
    }
  },
});

Deno.test("lvsd status: --socket and --url exclude each other", async () => {
  const { code, err } = await lvsd(["status", "--socket", "/x", "--url", "http://127.0.0.1:1"]);
  assert.equal(code, 2);
  assert.match(err, /exclude each other/);
});

socketTest("lvsd reload: prints what changed", async (socket, source) => {
  source.outcome = {
    ok: true,
    message: "2 changes",
    problems: [],
    changes: ["service a added", "service b gone"],
  };
  const { code, out, err } = await lvsd(["reload", "--socket", socket]);
  assert.deepEqual({ code, out, err }, {
    code: 0,
    out: "service a added\nservice b gone\n2 changes\n",
    err: "",
  });
});

socketTest("lvsd reload: prints every mistake, exit code 1", async (socket, source) => {
  const problems = [3, 9].map((line) => ({
    file: "f.yaml",
    line,
    column: 5,
    path: "services",
    message: `no ${line}`,
  }));
  source.outcome = { ok: false, message: "2 mistakes, nothing changed", problems, changes: [] };
  const { code, out, err } = await lvsd(["reload", "--socket", socket]);
  assert.deepEqual({ code, out }, { code: 1, out: "" });
  assert.equal(err, "f.yaml:3:5: no 3\nf.yaml:9:5: no 9\n2 mistakes, nothing changed\n");
});

socketTest("lvsd reload --json: the outcome on standard output, refused or not", async (socket, source) => {
  for (const ok of [true, false]) {
    source.outcome = { ok, message: "so it is", problems: [], changes: [] };
    const { code, out, err } = await lvsd(["reload", "--json", "--socket", socket]);
    assert.deepEqual({ code, out: JSON.parse(out), err }, { code: ok ? 0 : 1, out: source.outcome, err: "" });
  }
});

Deno.test("lvsd status, property: nothing a server or a name says reaches the terminal as a command", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 });
  fc.assert(fc.property(text, text, (name, detail) => {
    const health = { up: false, reason: "body", detail, sinceSeconds: 1, lastCheckWall: null, history: [] };
    const destinations = [destinationStatus({ name, address: detail, state: "down", health })];
    const services = [
      serviceStatus({ name, listen: detail, stateReason: detail, destinations, ends: { [detail]: 1 } }),
    ];
    const readiness = { ready: false, problems: [{ service: name, reason: detail }] };
    const page = formatStatus(directorStatus({ services, version: name, configFile: detail }), readiness, {
      colour: false,
    });
    assert.doesNotMatch(page.replaceAll("\n", ""), /\p{Cc}|\p{Cf}/u);
    assert.equal(
      page.split("\n").length,
      formatStatus(directorStatus({ services }), readiness, { colour: false }).split("\n").length,
    );
  }));
});

Deno.test("table: printable text stays as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", "ö", "漢", "😀", " ", "-", "\\") }), (text) => {
      assert.equal(printable(text), text);
    }),
  );
});

Deno.test("table: columns are aligned, nothing follows the last", () => {
  const rows = [["a", "1"], ["bbb", "22"]].map((
    [left = "", right = ""],
  ) => [{ text: left }, { text: right }]);
  assert.deepEqual(alignColumns(rows), ["a    1", "bbb  22"]);
  assert.deepEqual(alignColumns([]), []);
});

Deno.test("table: quantities", () => {
  assert.deepEqual([0, 1, 2].map((it) => counted(it, "service")), ["0 services", "1 service", "2 services"]);
  const sizes = [[0, "0 B"], [1_023, "1023 B"], [1_024, "1.0 KiB"], [1_536, "1.5 KiB"], [
    110 * 1_024,
    "110 KiB",
  ], [2 ** 40, "1.0 TiB"]];
  for (const [bytes, text] of sizes) assert.equal(formatBytes(Number(bytes)), text);
  const times = [[0, "0s"], [59.9, "59s"], [60, "1m 0s"], [3_599, "59m 59s"], [3_600, "1h 0m"], [
    90_000,
    "1d 1h",
  ], [-1, "0s"]];
  for (const [seconds, text] of times) assert.equal(formatSeconds(Number(seconds)), text);
});

socketTest(
  "lvsd rules: lists as iptables does, -Z lets the counters begin anew, --json as it is",
  async (socket, source) => {
    const listed = await lvsd(["rules", "--socket", socket]);
    assert.equal(listed.code, 0);
    assert.match(listed.out, /^Chain INPUT \(policy ACCEPT 12 packets, 340 bytes\)\n pkts bytes target /);
    assert.equal(source.zeroed, 0);
    const json = await lvsd(["rules", "--json", "--socket", socket]);
    assert.deepEqual(JSON.parse(json.out), source.current.rules);
    assert.equal((await lvsd(["rules", "-Z", "--socket", socket])).out, listed.out);
    assert.equal(source.zeroed, 1);
  },
);
