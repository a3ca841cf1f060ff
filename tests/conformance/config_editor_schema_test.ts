/**
 * What an editor says: the JSON Schema in the hands of another validator.
 */
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { configJsonSchema } from "../../config/schema.ts";
import { goldenConfigs } from "./config_golden.ts";

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, formats: { regex: true } });
const validate = ajv.compile(configJsonSchema());

function complaints(text: string): string[] {
  validate(parse(text, { merge: true }) ?? {});
  return (validate.errors ?? []).map((it) => `${it.instancePath} ${it.message}`);
}

for (const { name, text } of goldenConfigs("right")) {
  // An editor underlines an empty section, as it underlines every key without a value.
  if (name === "empty_sections" || name === "service_without_destinations") continue;
  Deno.test(`editor: has nothing against ${name}.yaml`, () => assert.deepEqual(complaints(text), []));
}

Deno.test("editor: has nothing against config.example.yaml", () => {
  const text = Deno.readTextFileSync(new URL("../../config.example.yaml", import.meta.url));
  assert.deepEqual(complaints(text), []);
});

/** Mistakes within one value; those across values are beyond a JSON Schema. */
const SEEN_BY_AN_EDITOR: readonly string[] = [
  "typo_scheduler",
  "typo_service_key",
  "typo_top_key",
  "destination_at_the_top",
  "missing_listen",
  "missing_address",
  "missing_check_type",
  "unknown_check_type",
  "http_key_in_tcp_check",
  "check_is_false",
  "duration_without_unit",
  "duration_written_out",
  "listen_is_a_number",
  "unknown_mode",
  "log",
  "numbers_out_of_range",
  "services_is_a_mapping",
  "destinations_is_text",
  "root_is_a_list",
];

for (const { name, text } of goldenConfigs("wrong")) {
  if (!SEEN_BY_AN_EDITOR.includes(name)) continue;
  Deno.test(`editor: underlines something in ${name}.yaml`, () => assert.notDeepEqual(complaints(text), []));
}
