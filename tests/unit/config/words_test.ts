import assert from "node:assert/strict";
import fc from "fast-check";
import { expandEnvironment } from "../../../config/env.ts";
import { nearest } from "../../../config/nearest.ts";
import { shown } from "../../../config/shown.ts";

const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "sh"];

Deno.test("nearest: swapped, missing, extra and wrong letters, wrong case, cut off words", () => {
  const expected: Readonly<Record<string, string | undefined>> = {
    wcl: "wlc",
    wl: "wlc",
    wlcc: "wlc",
    WLC: "wlc",
    rh: "rr",
    fastest: undefined,
    "round-robin": undefined,
    "": undefined,
    x: undefined,
  };
  for (const [typed, name] of Object.entries(expected)) assert.equal(nearest(typed, SCHEDULERS), name, typed);
  assert.equal(nearest("warn", ["debug", "info", "warning", "error"]), "warning");
  assert.equal(nearest("healtCheck", ["healthCheck", "passive"]), "healthCheck");
});

Deno.test("nearest: a name is nearest to itself", () => {
  fc.assert(
    fc.property(fc.constantFrom(...SCHEDULERS), (name) => assert.equal(nearest(name, SCHEDULERS), name)),
  );
});

Deno.test("environment: replaced, defaulted, escaped", () => {
  const env = (name: string) => ({ PORT: "8080", EMPTY: "", NESTED: "${PORT}" })[name];
  const expand = (text: string) => expandEnvironment(text, env).text;
  assert.equal(expand("a${PORT}b${PORT}"), "a8080b8080");
  assert.equal(expand("[${EMPTY}]"), "[]");
  assert.equal(expand("${EMPTY:-x} ${NONE:-} ${NONE:-a:b-c}"), "x  a:b-c");
  assert.equal(expand("$PORT $$PORT $${PORT} {PORT}"), "$PORT $$PORT ${PORT} {PORT}");
  assert.equal(expand("${NESTED}"), "${PORT}", "a value is not looked into again");
});

Deno.test("environment: each mistake is told", () => {
  const { mistakes } = expandEnvironment("${NONE} ${1} ${} ${A-b} ${open", () => undefined);
  assert.equal(mistakes.length, 5);
  assert.match(mistakes[0] ?? "", /NONE is not set; set it, or write a default: \$\{NONE:-\.\.\.\}/);
});

Deno.test("shown: short, on one line, nothing that steers a terminal", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
    const it = shown(text);
    assert.doesNotMatch(it, /[\p{C}\p{Zl}\p{Zp}]/u);
    assert.ok(it.length < 600);
  }));
  assert.equal(shown("x".repeat(61)), `"${"x".repeat(60)}…"`);
  assert.equal(shown('say "hi"'), '"say \\"hi\\""');
});
