/**
 * Files of other programs, imported: the config and the warnings are those of the golden files beside them, the config
 * is right, and a daemon runs with it. `LVSD_UPDATE_GOLDEN=1` writes the golden files.
 */
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { fileURLToPath } from "node:url";
import { SystemClock } from "../../clock.ts";
import { runCommandLine } from "../../cli/cli.ts";
import { loadConfig } from "../../config/load.ts";
import { Daemon } from "../../daemon/daemon.ts";
import { SystemDialer } from "../../healthcheck/dialer.ts";
import { SeededRandom } from "../../net/random.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/imports/", import.meta.url));
const FILES = [...Deno.readDirSync(FIXTURES)].map((it) => it.name)
  .filter((it) => /\.(conf|cf|rules)$/.test(it)).sort();

for (const name of FILES) {
  Deno.test(`import: ${name}`, async () => {
    const { code, stdout, stderr } = await lvsd("import", FIXTURES + name);
    const config = stdout.replaceAll(FIXTURES, "");
    const warnings = stderr.replaceAll(FIXTURES, "");
    const golden = FIXTURES + name.replace(/\.\w+$/, "");
    if (Deno.env.get("LVSD_UPDATE_GOLDEN") === "1") {
      Deno.writeTextFileSync(`${golden}.yaml`, config);
      Deno.writeTextFileSync(`${golden}.txt`, warnings);
    }
    assert.equal(config, Deno.readTextFileSync(`${golden}.yaml`));
    assert.equal(warnings, Deno.readTextFileSync(`${golden}.txt`));
    assert.equal(code, 0, stderr);
    await runs(config);
  });
}

Deno.test("import: there are at least ten shapes of other health daemons", () => {
  assert.ok(FILES.filter((it) => !it.endsWith(".rules")).length >= 10);
});

Deno.test("import: what no program wrote, and braces that do not match, are said with their place", async () => {
  for (
    const [text, says] of [
      ["hello\n", /neither output of ipvsadm -S nor/],
      ["\x7fELF\0\n-A -t 10.0.0.1:80\n", /neither output of ipvsadm -S nor/],
      ["virtual_server 10.0.0.1 80 {\n", /:1: the block of virtual_server is not closed/],
      ["virtual_server 10.0.0.1 80 {\n}\n}\n", /:3: a } too many/],
      [
        "$RS= \\\nreal_server 10.1.0.1 80 { \\\n}\nvirtual_server 10.0.0.1 80 {\n$RS\n}\n",
        /:1: \$RS goes over several lines/,
      ],
      ["virtual_server 10.0.0.1 80 {\n ~SEQ(N, 1, 3) real_server 10.1.0.$N 80\n}\n", /:2: ~SEQ is not read/],
      ["virtual=10.0.0.1:80\n  what is this\n", /:2: not a setting/],
    ] as const
  ) {
    const path = await Deno.makeTempFile();
    await Deno.writeTextFile(path, text);
    const { code, stderr } = await lvsd("import", path);
    assert.match(stderr, says);
    assert.equal(code, 1);
    await Deno.remove(path);
  }
});

Deno.test("import: a line of a script that is no command of the tool is shown", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "ipvsadm -C\nipvsadm -A -t 192.0.2.80:80\nsysctl -w a=1\n");
  const { stderr } = await lvsd("import", path);
  assert.match(stderr, /:3: warning: left out: no command of ipvsadm: sysctl -w a=1\n$/);
  await Deno.remove(path);
});

Deno.test("import: - is standard input", async () => {
  let stdout = "";
  const code = await runCommandLine(["import", "-"], {
    stdout: (text) => stdout += text,
    stderr: () => {},
    env: () => undefined,
    stdin: () => Promise.resolve("-A -t 192.0.2.80:80 -s rr\n"),
    isTerminal: false,
  });
  assert.equal(code, 0);
  assert.match(stdout, /from standard input\n[^]*listen: 192\.0\.2\.80:80/);
});

Deno.test("export: an imported dump, exported, is the dump again", async () => {
  const path = await Deno.makeTempFile({ suffix: ".yaml" });
  const { stdout } = await lvsd("import", `${FIXTURES}ipvsadm_save.rules`);
  await Deno.writeTextFile(path, stdout);
  const exported = await lvsd("export", "ipvsadm", "-c", path);
  await Deno.remove(path);
  const kept = Deno.readTextFileSync(`${FIXTURES}ipvsadm_save.rules`).split("\n")
    .filter((it) =>
      /^-[Aa] /.test(it) && !/sctp|192\.0\.2\.(51|99)|-w 3$/.test(it) || /8080 -m -w 3/.test(it)
    )
    .map((it) => it.replace(/-i -w 1 --tun.*/, "-g -w 1"));
  assert.deepEqual(exported.stdout.trimEnd().split("\n"), ["--set 900 120 300", ...kept]);
  assert.equal(exported.code, 0);
});

async function lvsd(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ["", ""];
  const code = await runCommandLine(words, {
    stdout: (text) => stdout += text,
    stderr: (text) => stderr += text,
    env: () => undefined,
    isTerminal: false,
  });
  return { code, stdout, stderr };
}

/** None of its addresses is this host's: every service is there and waits for its address. */
async function runs(text: string): Promise<void> {
  const config = loadConfig(text, "imported.yaml", () => undefined);
  const clock = new SystemClock();
  using dialer = new SystemDialer(clock);
  const daemon = await Daemon.start({
    config,
    load: () => Promise.resolve(config),
    clock,
    random: new SeededRandom(1),
    logger: getLogger(["lvsd", "tests"]),
    version: "test",
    dialer,
    lookUpName: () => Promise.reject(new Error("no names")),
    localAddresses: () => [],
  });
  try {
    const { services } = daemon.status();
    assert.equal(services.length, config.services.length);
    const destinations = services.reduce((sum, it) => sum + it.destinations.length, 0);
    assert.equal(destinations, config.services.reduce((sum, it) => sum + it.destinations.length, 0));
    assert.ok(destinations > 0);
  } finally {
    await daemon.stop();
  }
}
