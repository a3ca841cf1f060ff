import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { SYSCTLS } from "../../../director/sysctl.ts";
import { makeDirector } from "./testbed.ts";

Deno.test("sysctl: every switch of a real kernel has its name and default", () => {
  const path = new URL("../../fixtures/sysctl/defaults.json", import.meta.url);
  const { defaults } = JSON.parse(readFileSync(path, "utf8")) as { defaults: Record<string, string> };
  const { sysctl } = makeDirector();
  const values: Record<string, number> = { ...sysctl };
  for (const [path, text] of Object.entries(defaults)) {
    const name = path.replace("net.ipv4.vs.", "");
    // The one switch that is a pair.
    const [first, second] = text.split("\t").map(Number);
    assert.equal(values[name], first, name);
    if (second !== undefined) assert.equal(values[`${name}_period`], second, name);
  }
  assert.equal(Object.keys(values).length, Object.keys(defaults).length + 1);
});

Deno.test("sysctl: what is out of range is refused and changes nothing", () => {
  const { sysctl } = makeDirector();
  for (const [name, { default: value, min, max }] of Object.entries(SYSCTLS)) {
    for (const wrong of [min - 1, max + 1, 0.5, NaN]) {
      assert.throws(() => Object.assign(sysctl, { [name]: wrong }), { code: "EINVAL" }, `${name} ${wrong}`);
    }
    assert.equal(sysctl[name as keyof typeof SYSCTLS], value);
  }
});
