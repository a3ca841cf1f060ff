/**
 * The recordings of the real ipvsadm, replayed: the same words, columns and exit codes.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { replayAll } from "../oracle/oracle.ts";
import { parseRecording } from "../oracle/recording.ts";
import { replayTool } from "../oracle/tool_replay.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/ipvsadm/", import.meta.url));

Deno.test("every recorded command comes out equal", async () => {
  const tallies = await replayAll(FIXTURES);
  for (const { firstDifference } of tallies) assert.equal(firstDifference, undefined);
  const sum = tallies.reduce((all, { equal }) => all + equal, 0);
  // 460, 200 and 204 lines of the real tool on a real kernel, four of them notes; 600 wrong lines of its option parser.
  assert.equal(sum, 1_460);
});

/** What to change in which line, and what the difference then says. */
const LIES: readonly [what: string, line: RegExp, from: RegExp, to: string, says: RegExp][] = [
  ["another exit code", /"rc": 255/, /"rc": 255/, '"rc": 2', /exit code 255, recorded 2/],
  ["another message", /No such service/, /No such service/, "No service", /message .*recorded/],
  ["a blank less", /-Ln".*Masq {4}1/, / \\nTCP/, "\\nTCP", /line \d+:/],
  ["another weight", /-Ln".*Masq {4}3/, /Masq {4}3/, "Masq    4", /Masq {4}3/],
  ["another order", /--nosort".*lblcr/, /10\.99\.0\.7:9 lblcr/, "10.99.0.7:9 lblcs", /lblcr/],
  ["a counter narrower than its column", /--stats".*117002K/, / 117002K/, "117002K", /line \d+/],
  ["a connection of another width", /-Lcn".*TIME_WAIT/, /TIME_WAIT {3}/, "TIME_WAIT  ", /row/],
  ["another rate", /"rate_line".*"t": 8.5|"t": 8.505/, / 3592 /, " 3593 ", /rates are/],
  ["another default of a switch", /am_droprate/, /"10"/, '"11"', /am_droprate/],
  ["a saved rule less", /"ipvsadm -Sn"/, /-A -f -1 -s dh\\n/, "", /line 1/],
];

for (const [what, line, from, to, says] of LIES) {
  Deno.test(`a recording with ${what} is found out`, async () => {
    const texts = await Promise.all(
      ["ipvsadm.jsonl", "ipvsadm2.jsonl"].map((name) => Deno.readTextFile(join(FIXTURES, name))),
    );
    const text = texts.find((it) => it.split("\n").some((one) => line.test(one) && from.test(one)));
    assert.ok(text !== undefined, "no line to change");
    const lines = text.split("\n");
    const index = lines.findIndex((one) => line.test(one) && from.test(one));
    const changed = (lines[index] ?? "").replace(from, to);
    assert.notEqual(changed, lines[index]);
    const differences = await differencesOf(lines.with(index, changed).join("\n"));
    assert.match(differences[0] ?? "none", new RegExp(`^lie:${index + 1}: `));
    assert.match(differences[0] ?? "none", says);
  });
}

Deno.test("a line that no command printed is passed over, a broken command is not", async () => {
  const note = '{"section": "a", "t": 1, "packets": 5}';
  assert.deepEqual(await differencesOf(`{"host": "director"}\n${note}`), []);
  assert.throws(() => parseRecording("bad", `${note}\n{"section": "a", "cmd": "ipvsadm"}`), /bad:2: /);
});

Deno.test("a command that the replay does not know is a difference", async () => {
  const line = { section: "a", cmd: "iptables -L", rc: 0, stdout: "Chain INPUT\n", stderr: "" };
  assert.match((await differencesOf(JSON.stringify(line)))[0] ?? "", /does not know/);
});

Deno.test("switches are read and written as sysctl does", async () => {
  const lines = [
    ["sysctl net.ipv4.vs.conn_reuse_mode", "net.ipv4.vs.conn_reuse_mode = 1\n"],
    ["sysctl -w net.ipv4.vs.conn_reuse_mode=0", "net.ipv4.vs.conn_reuse_mode = 0\n"],
    ["sysctl -n net.ipv4.vs.conn_reuse_mode", "0\n"],
    ["cat /proc/sys/net/ipv4/vs/sync_threshold", "3\t50\n"],
  ].map(([cmd, stdout]) => JSON.stringify({ section: "a", cmd, rc: 0, stdout, stderr: "" }));
  assert.deepEqual(await differencesOf(lines.join("\n")), []);
});

Deno.test("the scripts that save and restore, and pipelines, are replayed", async () => {
  const rules = "-A -t 10.99.0.1:80 -s rr\n";
  const lines = [
    ["ipvsadm -A -t 10.99.0.1:80 -s rr", ""],
    ["ipvsadm-save -n", rules],
    ["ipvsadm -C", ""],
    ["echo -A -t 10.99.0.1:80 -s rr | ipvsadm -R", ""],
    ["ipvsadm -S -n | ipvsadm-restore", ""],
    ["ipvsadm -S -n", rules],
    ["modprobe ip_vs_rr", ""],
  ].map(([cmd, stdout]) => JSON.stringify({ section: "a", cmd, rc: 0, stdout, stderr: "" }));
  assert.deepEqual(await differencesOf(lines.join("\n")), []);
});

async function differencesOf(text: string): Promise<string[]> {
  const recording = parseRecording("lie", text);
  assert.equal(recording.kind, "tool");
  const outcomes = await replayTool("lie", recording.lines);
  return outcomes.flatMap(([, { difference }]) => difference ?? []);
}
