import assert from "node:assert/strict";
import fc from "fast-check";
import { stringify } from "yaml";
import { ConfigError } from "../../../errors.ts";
import { loadConfig } from "../../../config/load.ts";
import { configJson } from "../../conformance/config_golden.ts";
import { goldenConfigs } from "../../conformance/config_golden.ts";
import { plainConfig } from "./documents.ts";

const NO_ENV = () => undefined;
const SEEDS = [...goldenConfigs("right"), ...goldenConfigs("wrong")].map((it) => it.text)
  .filter((it) => it.length < 2_000 && !it.startsWith("a: &a"));

/** Loads, and holds what a ConfigError promises; any other error is a defect. */
function loadOrRefuse(text: string): void {
  try {
    loadConfig(text, "fuzz.yaml", NO_ENV);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `${error instanceof Error ? error.stack : error}`);
    assert.ok(error.problems.length > 0);
    const lines = text.split("\n").length;
    for (const { line, column, message } of error.problems) {
      assert.ok(line >= 1 && line <= lines, `line ${line} of ${lines}: ${message}`);
      assert.ok(column >= 1);
      assert.ok(message !== "" && !message.includes("{key}") && !message.includes("Invalid input"), message);
      assert.doesNotMatch(message, /[\p{C}\p{Zl}\p{Zp}]/u, "nothing that steers a terminal");
    }
  }
}

Deno.test("load: any text is a config or a ConfigError", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), loadOrRefuse), { numRuns: 1_000 });
});

Deno.test("load: any bytes are a config or a ConfigError", () => {
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }).map(decode), loadOrRefuse), { numRuns: 1_000 });
});

Deno.test("load: any YAML punctuation is a config or a ConfigError", () => {
  const piece = fc.constantFrom(
    ..."[]{}:-?&*!|>'\"%@`#,~ \n\t${}<=",
    "services",
    "a",
    "&a ",
    "*a",
    "<<: ",
    "- ",
    "\n  ",
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 60 }).map((it) => it.join("")), loadOrRefuse), {
    numRuns: 3_000,
  });
});

Deno.test("load: mutated configs are a config or a ConfigError", () => {
  const mutation = fc.record({
    text: fc.constantFrom(...SEEDS),
    edits: fc.array(
      fc.record({ at: fc.nat(1_999), remove: fc.nat(5), insert: fc.string({ maxLength: 3 }) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  }).map(({ text, edits }) =>
    edits.reduce((it, { at, remove, insert }) => {
      const place = at % (it.length + 1);
      return it.slice(0, place) + insert + it.slice(place + remove);
    }, text)
  );
  fc.assert(fc.property(mutation, loadOrRefuse), { numRuns: 3_000 });
});

Deno.test("load: any values at the right keys are a config or a ConfigError", () => {
  const value = fc.oneof(
    fc.anything({ maxDepth: 2 }).map(jsonLike),
    fc.constantFrom("off", ":80", 0, -1, null, [], {}),
  );
  const keyed = fc.dictionary(
    fc.constantFrom(
      ...[
        "listen",
        "name",
        "protocol",
        "scheduler",
        "flags",
        "mode",
        "persistence",
        "onePacket",
        "connectTimeout",
      ],
      ...[
        "idleTimeout",
        "retries",
        "clientAddress",
        "acceptProxyFrom",
        "maxConnections",
        "maxSessions",
        "onDown",
      ],
      ...["whenAllDown", "sorryServer", "healthCheck", "passive", "destinations"],
    ),
    value,
  );
  const config = fc.record({
    admin: value,
    log: value,
    timeouts: value,
    drain: value,
    services: fc.array(keyed),
  }, {
    requiredKeys: [],
  });
  fc.assert(fc.property(config, (it) => loadOrRefuse(JSON.stringify(it))), { numRuns: 2_000 });
});

Deno.test("load: any rules at the right keys are a config or a ConfigError", () => {
  const value = fc.oneof(
    fc.anything({ maxDepth: 2 }).map(jsonLike),
    fc.constantFrom(
      "drop",
      "10.0.0.0/8",
      "tcp",
      80,
      "80-90",
      "10/s",
      { mark: 7 },
      { jump: "own" },
      "web",
      null,
      [],
      {},
    ),
  );
  const keys = [
    "family",
    "protocol",
    "source",
    "destination",
    "ports",
    "sourcePorts",
    "service",
    "mark",
    "state",
  ];
  const more = ["inInterface", "outInterface", "connectionsAbove", "limit", "not", "comment", "target"];
  const rule = fc.dictionary(fc.constantFrom(...keys, ...more), value, { maxKeys: 5 });
  const rules = fc.oneof(value, fc.array(fc.oneof(rule, value), { maxLength: 4 }));
  const chain = fc.oneof(rules, fc.record({ policy: value, chain: rules }, { requiredKeys: [] }));
  const config = fc.record({
    rules: fc.oneof(value, fc.dictionary(fc.constantFrom("prerouting", "input", "forward", "output"), chain)),
    services: fc.array(fc.dictionary(fc.constantFrom("listen", "allow", "deny", "limit"), value), {
      maxLength: 2,
    }),
  }, { requiredKeys: [] });
  fc.assert(fc.property(config, (it) => loadOrRefuse(JSON.stringify(it))), { numRuns: 2_000 });
});

Deno.test("load: a config means the same as YAML and as JSON", () => {
  fc.assert(fc.property(plainConfig, (plain) => {
    const fromJson = loadConfig(JSON.stringify(plain), "any.yaml", NO_ENV);
    const fromYaml = loadConfig(stringify(plain), "any.yaml", NO_ENV);
    assert.equal(configJson(fromYaml), configJson(fromJson));
  }));
});

function jsonLike(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value) ?? "null");
  } catch {
    return "not JSON";
  }
}
