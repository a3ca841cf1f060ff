/** A daemon is asked why, for its record, and what another scheduler would have done. */
import assert from "node:assert/strict";
import { lvsdProgram } from "../peers/lvsd_command.ts";
import { LvsdProcess } from "../peers/lvsd_process.ts";
import { NamedServer } from "./daemon_setting.ts";

async function lvsd(url: string, ...words: string[]): Promise<{ code: number; out: string }> {
  const { code, stdout, stderr } = await lvsdProgram([...words, "--url", url], {
    env: { NO_COLOR: "1" },
  }).output();
  return { code, out: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("explain, record, simulate and whatif with a running daemon", async () => {
  await using stack = new AsyncDisposableStack();
  const a = stack.use(new NamedServer("a"));
  const b = stack.use(new NamedServer("b"));
  const daemon = stack.use(
    await LvsdProcess.start({
      services: [{
        name: "web",
        listen: "127.0.0.1:0",
        scheduler: "wlc",
        destinations: [a.address, { address: b.address, weight: 2 }],
      }],
    }),
  );
  const port = await daemon.portOf("web");
  const explained = await lvsd(daemon.adminUrl, "explain", "192.0.2.7:40000", "web");
  assert.equal(explained.code, 0, explained.out);
  assert.match(explained.out, new RegExp(`^\\s+\\* +${b.address} +2 +0 +0 +0/2 = 0$`, "m"));
  assert.match(explained.out, new RegExp(`-> ${b.address}\n$`));
  assert.equal((await daemon.service("web")).counters.connections, 0, "asking changes nothing");

  const counts: Record<string, number> = { a: 0, b: 0 };
  for (let i = 0; i < 30; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
    const name = await answer.text();
    counts[name] = (counts[name] ?? 0) + 1;
  }
  const script = `${await Deno.makeTempDir()}/today.lvs`;
  const recorded = await lvsd(daemon.adminUrl, "record", "-o", script);
  assert.deepEqual(recorded, { code: 0, out: "" });
  const text = await Deno.readTextFile(script);
  assert.match(text, /^# from the start/m);
  assert.match(text, /^@[\d.]+ms service tcp:127\.0\.0\.1:0 wlc$/m);

  const { code, stdout } = await lvsdProgram(["simulate", script]).output();
  const played = new TextDecoder().decode(stdout);
  assert.equal(code, 0, played);
  assert.match(played, new RegExp(`${a.address} +1 +${counts.a} `));
  assert.match(played, new RegExp(`${b.address} +2 +${counts.b} `));
  assert.match(played, /, 0 not as expected$/m);

  const compared = await lvsd(daemon.adminUrl, "whatif", "-s", "rr");
  assert.equal(compared.code, 0, compared.out);
  assert.match(compared.out, /^tcp:127\.0\.0\.1:0: 30 new connections, \d+ would go elsewhere/);
  assert.match(compared.out, new RegExp(`${a.address} +${counts.a} +[\\d.]+% +15 +50\\.0%`));
  const wrong = await lvsd(daemon.adminUrl, "explain", "192.0.2.7:40000", "wep");
  assert.equal(wrong.code, 1);
  assert.match(wrong.out, /there is no service "wep"; there are web; did you mean "web"/);
});

const PACKETS = `packet:
  interfaces:
    - { name: d0, addresses: [10.1.0.1/24] }
    - { name: d1, addresses: [172.16.0.1/24] }
services:
  - { name: web, listen: "10.1.0.100:80", mode: tun, deny: [10.1.0.66], destinations: [172.16.0.11] }
`;

Deno.test("explain --packet: the way through a config's packet engine, and where there is none", async () => {
  const folder = await Deno.makeTempDir();
  const config = `${folder}/lvsd.yaml`;
  try {
    await Deno.writeTextFile(config, PACKETS);
    const passed = await explainWith(config, "--packet", "--bytes", "1490", "10.1.0.10:40000", "web");
    assert.equal(passed.code, 0, passed.text);
    assert.match(
      passed.text,
      /-> 172\.16\.0\.11:80\n\npacket tcp .* 1490 bytes, TTL 64, DF; comes in by d0\n {2}PREROUTING/,
    );
    assert.match(passed.text, /route +172\.16\.0\.11 directly on d1; at most 1480 bytes/);
    assert.match(passed.text, /wire +d0: icmp 10\.1\.0\.100 > 10\.1\.0\.10 type 3 code 4 MTU 1480/);
    const denied = await explainWith(config, "--packet", "--in", "d0", "10.1.0.66:40000", "web");
    assert.equal(denied.code, 1);
    assert.match(denied.text, /SERVICES 1: DROP from 10\.1\.0\.66 .*\n {2}dropped +rule/);
    const misplaced = await explainWith(config, "--bytes", "1490", "10.1.0.10:40000", "web");
    assert.deepEqual([misplaced.code, misplaced.text.includes("add --packet")], [2, true]);
    await Deno.writeTextFile(config, RULES);
    const absent = await explainWith(config, "--packet", "10.1.0.10:40000", "web");
    assert.equal(absent.code, 1);
    assert.match(absent.text, /no section "packet".*leave --packet out/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const RULES = `rules:
  prerouting:
    - { source: 198.51.100.0/24, target: { mark: 7 } }
  input:
    - { source: 203.0.113.7, target: count }
services:
  - { name: web, listen: "127.0.0.1:8080", deny: ["192.0.2.0/24"], destinations: ["10.1.0.1:80"] }
  - { name: paid, mark: 7, listen: off, destinations: ["10.1.0.2:80"] }
`;

async function explainWith(config: string, ...words: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await lvsdProgram(["explain", "-c", config, ...words], {
    env: { NO_COLOR: "1" },
  }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("explain: the rules that a flow meets, the one that refuses it, and a mark that moves it", async () => {
  const config = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(config, RULES);
    const counted = await explainWith(config, "203.0.113.7:40000", "web");
    assert.equal(counted.code, 0, counted.text);
    assert.match(counted.text, /^ +rules +INPUT 1: from 203\.0\.113\.7 to \S+$/m);
    assert.match(counted.text, /-> 10\.1\.0\.1:80\n$/);
    const denied = await explainWith(config, "192.0.2.7:40000", "web");
    assert.equal(denied.code, 1, denied.text);
    assert.match(denied.text, /SERVICES? \d+: .*from 192\.0\.2\.0\/24/);
    assert.match(denied.text, /refused: rule-(drop|reject)\n$/);
    const marked = await explainWith(config, "198.51.100.9:40000", "web");
    assert.equal(marked.code, 0, marked.text);
    assert.match(marked.text, /PREROUTING 1: MARK from 198\.51\.100\.0\/24 to \S+ MARK set 0x7/);
    assert.match(marked.text, /^ +service +paid, scheduler wlc$/m);
    assert.match(marked.text, /-> 10\.1\.0\.2:80\n$/);
  } finally {
    await Deno.remove(config);
  }
});
