import assert from "node:assert/strict";
import { check } from "../../../cli/check.ts";
import type { Command } from "../../../cli/command.ts";
import { schema } from "../../../cli/schema.ts";
import { SystemError } from "../../../errors.ts";

async function runCommand(
  command: Command,
  positionals: readonly string[],
  values: Record<string, boolean> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ["", ""];
  const code = await command.run({ values, positionals }, {
    stdout: (text) => stdout += text,
    stderr: (text) => stderr += text,
    env: () => undefined,
    isTerminal: false,
  });
  return { code, stdout, stderr };
}

const FIXTURES = "tests/fixtures/config";

Deno.test("check: a right file is ok, and counted; one that others may write gets a warning", async () => {
  // A copy: what the clone's own files belong to and allow is not ours to say.
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  try {
    await Deno.writeTextFile(file, await Deno.readTextFile(`${FIXTURES}/right/checks.yaml`));
    const stdout = `${file}: ok, 3 services, 8 destinations\n`;
    assert.deepEqual(await runCommand(check, [file]), { code: 0, stdout, stderr: "" });
    if (Deno.build.os === "windows") return;
    await Deno.chmod(file, 0o666);
    const stderr = `lvsd: warning: ${file} is writable by everybody (mode 0666); ` +
      `lvsd run as root refuses such a file; mend it: chmod go-w ${file}\n`;
    assert.deepEqual(await runCommand(check, [file]), { code: 0, stdout, stderr });
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("check: a wrong file has one line for each mistake", async () => {
  const file = `${FIXTURES}/wrong/typo_scheduler.yaml`;
  const { code, stdout } = await runCommand(check, [file]);
  assert.equal(code, 1);
  assert.equal(
    stdout,
    `${file}:3:16: unknown scheduler "wcl"; allowed: rr, wrr, lc, wlc, sed, nq, sh, mh, dh, lblc, lblcr, fo, ovf, twos; did you mean "wlc"?\n`,
  );
});

Deno.test("check: --json", async () => {
  const right = await runCommand(check, [`${FIXTURES}/right/smallest.yaml`], { json: true });
  const { warnings, ...rest } = JSON.parse(right.stdout);
  assert.ok(Array.isArray(warnings));
  assert.deepEqual(rest, {
    ok: true,
    problems: [],
    services: 1,
    destinations: 2,
  });
  const file = `${FIXTURES}/wrong/unknown_mode.yaml`;
  const wrong = await runCommand(check, [file], { json: true });
  assert.equal(wrong.code, 1);
  const { ok, problems } = JSON.parse(wrong.stdout);
  assert.equal(ok, false);
  assert.deepEqual(problems[0], {
    file,
    line: 3,
    column: 11,
    path: "services[0].mode",
    message: 'unknown mode "masquerade"; allowed: nat, dr, tun',
  });
});

Deno.test("check: a file that is not there", () =>
  assert.rejects(
    runCommand(check, ["/nowhere/lvsd.yaml"]),
    (error) => error instanceof SystemError && error.exitCode === 3,
  ));

Deno.test("check: a file that is not text is a mistake, not a crash", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, Uint8Array.of(0xff, 0xfe, 0x00));
  const { code, stdout } = await runCommand(check, [path]);
  await Deno.remove(path);
  assert.equal(code, 1);
  assert.equal(stdout, `${path}:1:1: the file is not UTF-8 text, but looks like UTF-16; save it as UTF-8\n`);
});

Deno.test("schema: prints JSON Schema", async () => {
  const { code, stdout } = await runCommand(schema, []);
  assert.equal(code, 0);
  const parsed = JSON.parse(stdout);
  assert.equal(parsed.$schema, "https://json-schema.org/draft/2020-12/schema");
  assert.deepEqual(Object.keys(parsed.properties), [
    "admin",
    "log",
    "timeouts",
    "drain",
    "ipvs",
    "workers",
    "packet",
    "rules",
    "services",
  ]);
});
