/**
 * The house rules, enforced: directions of imports, sizes, names, words, links. And each rule itself: it finds the breach
 * that is planted for it.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { describe, inspect, RULE_NAMES, type Surroundings } from "./tidy/house.ts";
import { PLANTED, TIDY } from "./tidy/planted.ts";
import { isCode, type ProjectFile, readProject } from "./tidy/project.ts";
import { FILE_LINES, longFiles } from "./tidy/text_rules.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

function exists(path: string): boolean {
  try {
    Deno.statSync(`${ROOT}/${path}`);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

Deno.test("tidy: the project keeps its own rules", () => {
  const { imports } = JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.json`));
  const files = readProject(ROOT);
  assert.ok(files.length > 10, `only ${files.length} files found below ${ROOT}`);
  const problems = inspect(files, { packages: new Set(Object.keys(imports)), exists });
  assert.equal(problems.length, 0, `\n${problems.map(describe).join("\n")}`);
});

Deno.test("tidy: most files are short", async () => {
  const code = readProject(ROOT).filter(isCode);
  const long = longFiles(code);
  const list = long.map(({ path, lines }) => `${path} ${lines}`).join(", ");
  const report =
    `${long.length} of ${code.length} files have more than ${FILE_LINES.listed} lines: ${list}\n`;
  await Deno.stderr.write(new TextEncoder().encode(report));
  assert.ok(long.length < code.length / 2, report);
});

/** A small house of its own, in which nothing else is wrong. */
function inspectPlanted(files: readonly ProjectFile[]): string[] {
  const surroundings: Surroundings = {
    packages: new Set(["yaml"]),
    exists: (path) => files.some((file) => file.path === path || file.path.startsWith(`${path}/`)),
  };
  return inspect(files, surroundings).map(({ rule, path, line }) => `${rule} ${path}:${line}`);
}

for (const { rule, what, files, found } of PLANTED) {
  Deno.test(`tidy: finds ${rule}: ${what}`, () => {
    assert.deepEqual(inspectPlanted(files), found.map((place) => `${rule} ${place}`));
  });
}

for (const { what, files } of TIDY) {
  Deno.test(`tidy: allows ${what}`, () => assert.deepEqual(inspectPlanted(files), []));
}

Deno.test("tidy: a breach of every rule is planted", () => {
  const planted = new Set(PLANTED.map(({ rule }) => rule));
  assert.deepEqual(RULE_NAMES.filter((rule) => !planted.has(rule)), []);
});
