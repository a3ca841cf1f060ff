/** What a reload says of changed rules. */
import assert from "node:assert/strict";
import { loadConfig } from "../../../config/load.ts";
import { planChange } from "../../../config/plan.ts";

function changes(before: string, after: string): readonly string[] {
  const read = (text: string) => loadConfig(text, "lvsd.yaml", () => undefined);
  return planChange(read(before), read(after)).changes.map((it) => it.text);
}

const ONE = "rules: {input: [{source: 10.0.0.1, target: drop}]}";

Deno.test("plan: names the chains that changed, and none when nothing did", () => {
  assert.deepEqual(changes(ONE, ONE), []);
  assert.deepEqual(changes(ONE, ONE.replace("10.0.0.1", "10.0.0.2")), ["rules: INPUT changed"]);
  assert.deepEqual(changes(ONE, "rules: {prerouting: [{target: {mark: 7}}]}"), [
    "rules: INPUT, PREROUTING changed",
  ]);
});

Deno.test("plan: the lists of a service are rules, and its listener stays", () => {
  const service = (more: string) => `services: [{listen: 127.0.0.1:80, name: web${more}}]`;
  assert.deepEqual(changes(service(""), service(", deny: [10.0.0.1]")), ["rules: SERVICES changed"]);
});
