/**
 * `lvsd modes` and what `lvsd realserver` says without touching anything.
 */
import assert from "node:assert/strict";
import { runCommandLine } from "../../../cli/cli.ts";

async function lvsd(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const said = { stdout: "", stderr: "" };
  const code = await runCommandLine(words, {
    stdout: (text) => said.stdout += text,
    stderr: (text) => said.stderr += text,
    env: () => undefined,
    isTerminal: false,
  });
  return { code, ...said };
}

async function withConfig<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(path, text);
    return await use(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("modes: the table has a column for each mode and a row for each question", async () => {
  const { code, stdout } = await lvsd("modes");
  assert.equal(code, 0);
  assert.match(stdout, /NAT \(masquerading\) +DR \(direct routing, gatewaying\) +TUN \(tunnelling\)/);
  assert.match(stdout, /reply path +through the director +straight to the client/);
  const { modes, services } = JSON.parse((await lvsd("modes", "--json")).stdout);
  assert.equal(modes["a real server port that differs from the service port"].nat, "yes");
  assert.equal(modes["a real server port that differs from the service port"].dr, "no");
  assert.deepEqual(services, []);
});

Deno.test("modes: on a terminal no line is longer than that is wide, and no word is lost", async () => {
  const wide = (await lvsd("modes")).stdout;
  const words = (text: string) => text.split(/\s+/).sort();
  for (const columns of [80, 100, 132]) {
    let narrow = "";
    const context = { stdout: (text: string) => narrow += text, stderr: () => {}, env: () => undefined };
    assert.equal(await runCommandLine(["modes"], { ...context, isTerminal: true, columns }), 0);
    const longest = Math.max(...narrow.split("\n").map((it) => it.length));
    assert.ok(longest <= columns, `${longest} in ${columns} columns`);
    assert.deepEqual(words(narrow), words(wide));
  }
});

Deno.test("modes: a service whose mode allows all it asks", async () => {
  const config = `services:
  - name: web
    listen: 127.0.0.1:8080
    destinations: [127.0.0.1:3001]
`;
  await withConfig(config, async (path) => {
    const { code, stdout } = await lvsd("modes", "-c", path);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /web: nat, all it asks is allowed/);
  });
});

Deno.test("realserver: --dry-run prints the commands", async () => {
  const { code, stdout } = await lvsd(
    "realserver",
    "dr",
    "--vip",
    "10.1.0.100",
    "--interface",
    "eth7",
    "--dry-run",
  );
  assert.equal(code, 0);
  assert.deepEqual(stdout.trim().split("\n").at(-1), "ip addr add 10.1.0.100/32 dev lo");
  assert.match(stdout, /net\.ipv4\.conf\.eth7\.arp_ignore=1/);
});

for (
  const [words, message] of [
    [["realserver", "nat", "--vip", "10.0.0.1"], /for dr or tun, not "nat"; NAT needs only a route/],
    [["realserver", "dr"], /needs --vip/],
    [["realserver", "dr", "--vip", "10.0.0.300"], /not an IP address/],
    [
      ["realserver", "tun", "--vip", "10.0.0.1", "--gue-port", "0"],
      /--gue-port "0" is not a whole number from 1 to 65535/,
    ],
  ] as const
) {
  Deno.test(`realserver: ${words.slice(1).join(" ")} is refused in words`, async () => {
    const { code, stderr } = await lvsd(...words);
    assert.notEqual(code, 0);
    assert.match(stderr, message);
  });
}
