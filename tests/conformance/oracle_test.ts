/**
 * The recordings of a real kernel director, replayed: this director decides as that one did.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SCHEDULER_NAMES } from "../../schedulers/registry.ts";
import { main } from "../../scripts/oracle.ts";
import { replayAll } from "../oracle/oracle.ts";
import { parseRecording } from "../oracle/recording.ts";
import { replayScheduler } from "../oracle/scheduler_replay.ts";
import { replayStates } from "../oracle/state_replay.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));
/** The recorded kernel had no twos. */
const RECORDED = SCHEDULER_NAMES.filter((name) => name !== "twos");

for (const shared of [false, true]) {
  const memory = shared ? "shared memory" : "one thread's memory";

  Deno.test(`every recorded traffic script comes out equal, in ${memory}`, async () => {
    const tallies = await replayAll(join(FIXTURES, "schedulers"), { shared });
    assert.deepEqual(tallies.map(({ name }) => name), RECORDED.toSorted());
    for (const { name, equal, total, firstDifference } of tallies) {
      assert.equal(firstDifference, undefined);
      assert.ok(total >= 20 && equal === total, `${name}: ${equal} of ${total}`);
    }
  });

  Deno.test(`every recorded sequence of TCP packets comes out equal, in ${memory}`, async () => {
    const tallies = await replayAll(join(FIXTURES, "states"), { shared });
    for (const { firstDifference } of tallies) assert.equal(firstDifference, undefined);
    assert.equal(tallies.reduce((sum, { equal }) => sum + equal, 0), 1_209);
  });
}

Deno.test("commands are understood however they are written, and refusals are compared", async () => {
  const text = await Deno.readTextFile(TRUTH);
  const long = text.replaceAll('"-e","-t"', '"--edit-server","--tcp-service"').replaceAll(
    '"-w",',
    '"--weight",',
  )
    .replaceAll('"-r",', '"--real-server",').replaceAll('"-A",', '"--add-service",');
  assert.notEqual(long, text);
  assert.equal(await replay(long), undefined);
  const lines = text.split("\n");
  const index = lines.findIndex((it) => it.includes('"admin"'));
  const { before, t, i } = JSON.parse(lines[index] ?? "");
  const steps: [args: string[], rc: number, added?: string][] = [
    [["-A", "-t", "10.99.0.9:80", "-s", "twos"], 255],
    [["-d", "-t", "10.99.0.1:80", "-r", "10.2.0.77"], 255],
    [["-a", "-t", "10.99.0.1:80", "-r", "10.2.0.77", "-w", "0x10"], 2],
    [["-A", "-f", "7", "-6", "-s", "mh", "-b", "flag-1,mh-port", "-p", "300", "-M", "64"], 0, "fwm:7"],
    [["-D", "-f", "7", "-6"], 0],
    [["-A", "-u", "10.99.0.1:5060", "-s", "rr", "--pe", "sip", "-p"], 0, "udp:10.99.0.1:5060"],
    [["-E", "-u", "10.99.0.1:5060", "-s", "lblcr", "-o"], 0, "udp:10.99.0.1:5060"],
    [["--delete-service", "-u", "10.99.0.1:5060"], 0],
    [["-Z"], 0],
  ];
  let now = before;
  const events = steps.map(([args, rc, added]) => {
    const after = added === undefined ? before : { ...before, [added]: [] };
    const event = { type: "event", ev: "admin", i, t, args, rc, before: now, after };
    now = after;
    return JSON.stringify(event);
  });
  assert.equal(await replay(lines.toSpliced(index, 0, ...events).join("\n")), undefined);
});

/** A recording with all kinds of fields, and ways to make a lie of it: pattern and replacement in one line of the file. */
const TRUTH = join(FIXTURES, "schedulers", "lc_thresh_w1-1-1.jsonl");
const LIES: readonly [what: string, line: RegExp, from: RegExp, to: string][] = [
  ["another server was chosen", /"open".*"ok"/, /"dest":"10\.2\.0\.\d/, '"dest":"10.2.0.9'],
  ["another server answered", /"open".*"ok"/, /"server":"10\.2\.0\.\d:80/, '"server":"10.2.0.3:81'],
  ["a connection was refused", /"open".*"ok"/, /"result":"ok"/, '"result":"ECONNREFUSED"'],
  ["an active connection more before an event", /"i":7,/, /(:80",\d+,)\d+/, "$199"],
  ["an inactive connection more before an event", /"i":7,/, /,0\]/, ",1]"],
  ["another weight before an event", /"i":7,/, /:80",1/, ':80",2'],
  ["another order before an event", /"i":0,/, /(\["10[^\]]*\]),(\["10[^\]]*\])/, "$2,$1"],
  [
    "another order after the set-up",
    /"scenario"/,
    /"10\.2\.0\.3:80","10\.2\.0\.2:80"/,
    '"10.2.0.2:80","10.2.0.3:80"',
  ],
  ["another state", /"close".*"ok"/, /TIME_WAIT/, "CLOSE_WAIT"],
  ["another time left", /"close".*"ok"/, /"expires":1\d\d/, '"expires":60'],
  ["another exit code", /"admin"/, /"rc":0/, '"rc":255'],
  ["other counters after a command", /"admin"/, /("after".*?:80",\d+,)\d+/, "$199"],
  ["other counters at the end", /"end"/, /("counters".*?:80",\d+,)\d+/, "$199"],
  ["an address that is none", /"open".*"ok"/, /"cip":"[^"]*"/, '"cip":"here"'],
  [
    "a value that a switch does not take",
    /"i":3,/,
    /"ev":"open"/,
    '"ev":"sysctl","name":"conn_reuse_mode","value":9',
  ],
  ["a switch that there is not", /"i":3,/, /"ev":"open"/, '"ev":"sysctl","name":"no","value":1'],
];

for (const [what, line, from, to] of LIES) {
  Deno.test(`a recording that says: ${what}, is found out`, async () => {
    const text = await Deno.readTextFile(TRUTH);
    assert.equal(await replay(text), undefined);
    const lines = text.split("\n");
    const index = lines.findIndex((it) => line.test(it));
    const lie = lines[index]?.replace(from, to) ?? "";
    assert.notEqual(lie, lines[index], "the lie must change the line");
    const difference = await replay(lines.with(index, lie).join("\n"));
    assert.match(difference ?? "no difference", new RegExp(`^truth:(${index + 1}|${index + 2}|1):`));
  });
}

async function replay(text: string): Promise<string | undefined> {
  const recording = parseRecording("truth", text);
  assert.equal(recording.kind, "scheduler");
  return (await replayScheduler(recording)).difference;
}

Deno.test("a TCP sequence with another state, time or counting is found out", async () => {
  const truth = { set: "a", fwd: "-m", sysctl: {}, seq: ["i:S", "o:SA", "i:A"] };
  const difference = async (...states: string[]) => {
    const recording = parseRecording("truth", JSON.stringify({ ...truth, states }));
    assert.ok(recording.kind === "states" && recording.sequences[0] !== undefined);
    return (await replayStates("truth", recording.sequences[0])).difference;
  };
  assert.equal(await difference("SYN_RECV/60/A", "SYN_RECV/59/A", "ESTABLISHED/900/A"), undefined);
  assert.equal(await difference("SYN_RECV/60/A", "SYN_RECV/59/?", "ESTABLISHED/900/A"), undefined);
  assert.match(
    await difference("SYN_RECV/60/I", "SYN_RECV/59/A", "ESTABLISHED/900/A") ?? "",
    /^truth:1: packet 1/,
  );
  assert.match(
    await difference("SYN_RECV/60/A", "SYN_RECV/57/A", "ESTABLISHED/900/A") ?? "",
    /^truth:1: packet 2/,
  );
  assert.match(await difference("SYN_RECV/60/A", "SYN_RECV/59/A", "-") ?? "", /^truth:1: packet 3/);
});

Deno.test("the command: names mean nothing, folders are searched, the last line is the sum", async () => {
  await using folder = await Folder.make();
  await folder.copy(TRUTH, "deep/down/wlc_something");
  await folder.copy(join(FIXTURES, "schedulers", "rr_udp_w0-1-2.jsonl"), "notes.txt");
  const { code, lines } = await folder.oracle();
  assert.equal(code, 0);
  assert.equal(lines.at(-1), "total 2/2");
  assert.match(lines[0] ?? "", /^lc +1\/1 /);
  assert.match(lines[1] ?? "", /^rr +1\/1 /);
});

const MISTAKES: readonly [what: string, text: string, message: RegExp][] = [
  ["no JSON", "hello\n", /bad:1: not JSON/],
  ["an empty file", "", /bad:1: neither/],
  ["JSON of another kind", '{"openapi":"3.1.0"}\n', /bad:1: neither/],
  ["a scenario and nothing else", '{"type":"scenario"}\n', /bad:1: a scenario without events/],
  [
    "a broken sequence",
    '{"set":"a","fwd":"-m","sysctl":{},"seq":["i:S"],"states":[]}\n',
    /bad:1: .*as many states/,
  ],
  [
    "a flag that TCP has not",
    '{"set":"a","fwd":"-m","sysctl":{},"seq":["i:X"],"states":["-"]}\n',
    /bad:1: seq\.0/,
  ],
];

for (const [what, text, message] of MISTAKES) {
  Deno.test(`the command: ${what} is a difference, with its place`, async () => {
    await using folder = await Folder.make();
    await folder.copy(TRUTH, "good");
    await folder.write("bad", text);
    const { code, lines } = await folder.oracle();
    assert.equal(code, 1);
    assert.equal(lines.at(-1), "total 1/2");
    assert.match(lines.join("\n"), message);
  });
}

Deno.test("the command: a recording that was cut off, or has an unknown event, is a difference with its line", async () => {
  const lines = (await Deno.readTextFile(TRUTH)).trimEnd().split("\n");
  const cut = lines.slice(0, -1);
  const unknown = lines.with(4, lines[4]?.replace('"ev":"open"', '"ev":"dance"') ?? "");
  for (const [text, line] of [[cut, lines.length - 1], [unknown, 5]] as const) {
    await using folder = await Folder.make();
    await folder.write("bad", text.join("\n"));
    const { code, lines } = await folder.oracle();
    assert.equal(code, 1);
    assert.ok(lines.some((it) => it.includes(`bad:${line}: `)), lines.join("\n"));
  }
});

Deno.test("the command: a scheduler that there is not counts as a difference", async () => {
  await using folder = await Folder.make();
  await folder.write("a", (await Deno.readTextFile(TRUTH)).replaceAll('"lc"', '"quickest"'));
  const { code, lines } = await folder.oracle();
  assert.equal(code, 1);
  assert.match(lines.join("\n"), /a:1: ipvsadm -A .*: kernel answers 0, lvsd 255: Scheduler .*not found/);
  assert.equal(lines.at(-1), "total 0/1");
});

Deno.test("the command: nothing to replay is a failure", async () => {
  await using folder = await Folder.make();
  assert.deepEqual(await folder.oracle(), { code: 1, lines: ["total 0/0"] });
  await assert.rejects(run(join(folder.path, "nowhere")), { code: "FILE_NOT_FOUND", exitCode: 3 });
  await assert.rejects(run(), { exitCode: 2, message: "takes one DIR, got none" });
});

async function run(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  return { code: await main(args, (line) => lines.push(line)), lines };
}

/** A folder of recordings that is gone at the end of its block. */
class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir());
  }

  async write(name: string, text: string): Promise<void> {
    const path = join(this.path, name);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeTextFile(path, text);
  }

  async copy(from: string, name: string): Promise<void> {
    await this.write(name, await Deno.readTextFile(from));
  }

  oracle(): Promise<{ code: number; lines: string[] }> {
    return run(this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
