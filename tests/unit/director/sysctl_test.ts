import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { SWITCHES } from "../../../director/switches.ts";
import {
  KERNEL_SYSCTL_NAMES,
  SYSCTL_PREFIX,
  sysctlState,
  writeSysctl,
} from "../../../director/sysctl_text.ts";
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
  for (const [name, { default: value, min, max }] of Object.entries(SWITCHES)) {
    for (const wrong of [min - 1, max + 1, 0.5, NaN]) {
      assert.throws(() => Object.assign(sysctl, { [name]: wrong }), { code: "EINVAL" }, `${name} ${wrong}`);
    }
    assert.equal(sysctl[name as keyof typeof SWITCHES], value);
  }
});

Deno.test("sysctl: as text, every switch reads and writes what the kernel prints", () => {
  const { sysctl } = makeDirector();
  const path = new URL("../../fixtures/sysctl/defaults.json", import.meta.url);
  const { defaults } = JSON.parse(readFileSync(path, "utf8")) as { defaults: Record<string, string> };
  assert.deepEqual(KERNEL_SYSCTL_NAMES.map((name) => SYSCTL_PREFIX + name), Object.keys(defaults).sort());
  for (const name of KERNEL_SYSCTL_NAMES) {
    const before = sysctlState(sysctl, name);
    assert.equal(before.value, defaults[SYSCTL_PREFIX + name], name);
    const wish = name === "sync_threshold" ? " 5  70 " : before.value === "1" ? "0" : "1";
    if (name !== "sync_ports") writeSysctl(sysctl, name, wish);
    else writeSysctl(sysctl, name, "8");
    assert.notEqual(sysctlState(sysctl, name).value, before.value, name);
    for (const wrong of ["", "x", "1 2 3", "-1", "1.5", "0x1"]) {
      assert.throws(() => writeSysctl(sysctl, name, wrong), { code: "EINVAL" }, `${name}=${wrong}`);
    }
  }
  assert.equal(sysctlState(sysctl, "sync_threshold").value, "5\t70");
  assert.throws(() => writeSysctl(sysctl, "sync_threshold", "70 5"), { code: "EINVAL" });
  writeSysctl(sysctl, "sync_threshold", "70 0");
  assert.throws(() => writeSysctl(sysctl, "sync_ports", "3"), /power of two/);
});

Deno.test("sysctl: what has no effect or not the kernel's says why", () => {
  for (const [name, { meaning, effect, note }] of Object.entries(SWITCHES)) {
    assert.ok(meaning.length > 10 && !meaning.endsWith("."), name);
    if (effect !== "all") assert.ok(note.length > 10, `${name} needs a reason`);
  }
});
