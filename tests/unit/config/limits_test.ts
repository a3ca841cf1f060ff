import assert from "node:assert/strict";
import { ConfigError, type ConfigProblem } from "../../../errors.ts";
import { loadConfig } from "../../../config/load.ts";
import { LIMITS } from "../../../limits.ts";

function problemsOf(text: string): readonly ConfigProblem[] {
  try {
    loadConfig(text, "big.yaml", () => undefined);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

/** Each of these ends a process, or takes it a minute and gigabytes, when the parser sees them unguarded. */
const HEAVY: Readonly<Record<string, string>> = {
  "opening brackets": "[".repeat(LIMITS.configFileBytes),
  "opening braces": "{".repeat(LIMITS.configFileBytes),
  "dashes on one line": "- ".repeat(LIMITS.configFileBytes / 2),
  "questions on one line": "? ".repeat(LIMITS.configFileBytes / 2),
  "commas": `[${"1,".repeat(LIMITS.configFileBytes / 2)}]`,
  "colons": ":\n".repeat(LIMITS.configFileBytes / 2),
};

for (const [name, text] of Object.entries(HEAVY)) {
  Deno.test(`limits: 8 MiB of ${name} are refused within 10 s`, () => {
    const startMs = performance.now();
    const problems = problemsOf(text);
    assert.equal(problems.length, 1);
    assert.match(problems[0]?.message ?? "", /nested more than 32 deep|too large/);
    assert.ok(performance.now() - startMs < 10_000);
  });
}

Deno.test("limits: a mistake behind many lines has its line", () => {
  const text = `${"# comment\n".repeat(1_000)}services: ${"[".repeat(100)}`;
  assert.deepEqual(problemsOf(text).map((it) => [it.line, it.column]), [[1_001, 11 + LIMITS.configDepth]]);
});

Deno.test("limits: no more mistakes than a person can use are reported, the rest is counted", () => {
  const text = Array.from({ length: 1_000 }, (_, i) => `wrong${i}: 1`).join("\n");
  const problems = problemsOf(text);
  assert.equal(problems.length, LIMITS.configMistakes + 1);
  assert.match(problems.at(-1)?.message ?? "", /and 800 more mistakes/);
});

Deno.test("limits: services and destinations", () => {
  const services = (count: number, servers: string) =>
    `services:\n${
      Array.from({ length: count }, (_, i) => `- {listen: 10.0.${i >> 8}.${i & 255}:80, ${servers}}\n`).join(
        "",
      )
    }`;
  assert.deepEqual(problemsOf(services(LIMITS.services, "retries: 1")), []);
  const tooMany = problemsOf(services(LIMITS.services + 1, "retries: 1"));
  assert.deepEqual(tooMany.map((it) => it.message), ["4097 services; there may be 4096"]);
  const servers = Array.from({ length: 4_097 }, (_, i) => `10.1.${i >> 8}.${i & 255}`).join(", ");
  const many = problemsOf(services(16, `destinations: [${servers}]`));
  assert.deepEqual(many.map((it) => it.message), [
    "65552 destinations in all services together; there may be 65536",
  ]);
});
