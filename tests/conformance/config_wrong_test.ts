import assert from "node:assert/strict";
import { ConfigError } from "../../errors.ts";
import { loadConfig } from "../../config/load.ts";
import { assertGolden, type GoldenConfig, goldenConfigs } from "./config_golden.ts";

const CONFIGS = goldenConfigs("wrong");

Deno.test("wrong configs: there are at least 40", () => assert.ok(CONFIGS.length >= 40));

for (const config of CONFIGS) {
  Deno.test(`wrong config: ${config.name}`, () => {
    const error = errorOf(config);
    assertGolden(`wrong/${config.name}.txt`, `${error.message}\n`);
    const lines = config.text.split("\n");
    for (const { line, column, message } of error.problems) {
      assert.ok(line >= 1 && line <= lines.length, `line ${line} is in the file`);
      assert.ok(
        column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1,
        `column ${column} is in line ${line}`,
      );
      assert.doesNotMatch(message, /\{key\}|\[object|undefined|Invalid input|zod/i);
    }
  });
}

function errorOf({ name, text, env }: GoldenConfig): ConfigError {
  try {
    loadConfig(text, `${name}.yaml`, env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error;
  }
  assert.fail(`${name}.yaml has no mistake`);
}
