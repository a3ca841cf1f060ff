/**
 * docs/exit-codes.md is the table of `EXIT`.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { EXIT } from "../../../errors.ts";

Deno.test("exit codes: docs/exit-codes.md has a row for each, and no other", () => {
  const page = Deno.readTextFileSync(fileURLToPath(new URL("../../../docs/exit-codes.md", import.meta.url)));
  const rows = [...page.matchAll(/^\| *(\d+) *\| *`(\w+)` *\|/gm)].map((
    [, code, name],
  ) => [name, Number(code)]);
  assert.deepEqual(rows, Object.entries(EXIT));
});
