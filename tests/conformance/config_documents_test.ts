import assert from "node:assert/strict";
import { parse } from "yaml";
import { loadConfig } from "../../config/load.ts";
import { configReference } from "../../config/reference.ts";
import { configJsonSchema } from "../../config/schema.ts";
import { sysctlReference } from "../../config/sysctl_reference.ts";
import { assertGolden } from "./config_golden.ts";

const ROOT = new URL("../../", import.meta.url);
const NO_ENV = () => undefined;

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

Deno.test("docs/config.schema.json is what the schema says", () => {
  assertGolden(new URL("docs/config.schema.json", ROOT), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
});

Deno.test("docs/config.md has the tables that the schema makes", () => {
  const [before, , after] = read("docs/config.md").split(
    /(?<=<!-- begin reference -->\n)|(?=<!-- end reference -->)/,
  );
  assert.ok(before !== undefined);
  const end = after ?? "<!-- end reference -->\n";
  assertGolden(new URL("docs/config.md", ROOT), `${before}\n${configReference()}\n${end}`);
});

Deno.test("docs/sysctl.md has the table that the director's switches make", () => {
  const [before] = read("docs/sysctl.md").split(/(?<=<!-- begin reference -->\n)/);
  assert.ok(before !== undefined);
  const reference = `${before}\n${sysctlReference()}\n<!-- end reference -->\n`;
  assertGolden(new URL("docs/sysctl.md", ROOT), reference);
});

Deno.test("config.example.yaml is valid and says nothing but defaults beside its services", () => {
  const example = loadConfig(read("config.example.yaml"), "config.example.yaml", NO_ENV);
  const { services: _, ...rest } = example;
  const { services: __, ...defaults } = loadConfig("", "config.example.yaml", NO_ENV);
  assert.deepEqual(rest, defaults);
  assert.deepEqual(example.services.map((it) => [it.protocol, it.destinations.length]), [["tcp", 3], [
    "udp",
    3,
  ]]);
});

Deno.test("config.example.yaml shows every key of the schema", () => {
  const words = new Set(read("config.example.yaml").match(/[A-Za-z][A-Za-z0-9_]*(?=:)/g));
  const missing = [...keysOf(configJsonSchema())].filter((it) => !words.has(it) && it !== "regex");
  assert.deepEqual(missing, []);
});

Deno.test("config.example.yaml is right with each of its comments made active", () => {
  const text = read("config.example.yaml");
  const lines = [...text.matchAll(/^( +)# (\w+: .*)$/gm)].map(([whole, indent = "", rest = ""]) =>
    text.replace(whole, `${indent}${rest}`)
  );
  const blocks = [...text.matchAll(/^( +)# \w+:\n(?:\1# {3}.*\n)+/gm)].map(([whole]) =>
    text.replace(whole, whole.replace(/^( +)# /gm, "$1"))
  );
  assert.ok(lines.length >= 12 && blocks.length >= 4);
  for (const active of [...lines, ...blocks]) {
    const fitting = active.includes("\n    flags:")
      ? active.replace("scheduler: wlc", "scheduler: sh")
      : active;
    loadConfig(fitting, "config.example.yaml", (name) => name === "LVSD_TOKEN" ? "secret" : undefined);
  }
});

Deno.test("every example in docs/rules.md is right", () => {
  const blocks = [...read("docs/rules.md").matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, block = ""]) =>
    block
  );
  assert.ok(blocks.length >= 2);
  for (const block of blocks) loadConfig(block, "docs/rules.md", NO_ENV);
});

Deno.test("every example in docs/config.md is right", () => {
  const blocks = [...read("docs/config.md").matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, block = ""]) =>
    block
  );
  assert.ok(blocks.length > 0);
  for (const block of blocks) loadConfig(block, "docs/config.md", NO_ENV);
  for (const [, cell = ""] of configReference().matchAll(/\| `(\w+: [^`]+)` *\|$/gm)) {
    assert.doesNotThrow(() => parse(cell), cell);
  }
});

/** Every key that a config may have, at any depth. */
function keysOf(schema: unknown, keys = new Set<string>()): Set<string> {
  if (typeof schema !== "object" || schema === null) return keys;
  for (const [word, value] of Object.entries(schema)) {
    if (word === "properties") Object.keys(value).forEach((key) => keys.add(key));
    keysOf(value, keys);
  }
  return keys;
}
