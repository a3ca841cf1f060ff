/** Options as a config; and that reading the right ones without the schema comes to the same. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "../../../errors.ts";
import { configFromOptions, type ConfigOptions } from "../../../config/from_options.ts";
import { loadConfig } from "../../../config/load.ts";
import { rightConfig } from "../../../config/right_options.ts";
import { validate } from "../../../config/validate.ts";
import { SCHEDULER_NAMES } from "../../../schedulers/registry.ts";
import { configJson } from "../../conformance/config_golden.ts";

const ONE: ConfigOptions = { tcp: [":8080"], udp: [], to: ["127.0.0.1:3001,127.0.0.1:3002@3"] };

Deno.test("options: give the config that a file with the same words gives", async () => {
  const text = `
admin: {listen: off}
log: {format: json, level: debug}
services:
  - {listen: :8080, scheduler: sh, destinations: [127.0.0.1:3001, 127.0.0.1:3002@3, web]}
  - {listen: :8081, scheduler: sh, destinations: [127.0.0.1:3001, 127.0.0.1:3002@3, web]}
  - {listen: :5300, scheduler: sh, protocol: udp, destinations: [127.0.0.1:3001, 127.0.0.1:3002@3, web]}
`;
  const fromOptions = await configFromOptions({
    tcp: [":8080", ":8081"],
    udp: [":5300"],
    to: ["127.0.0.1:3001, 127.0.0.1:3002@3", "web"],
    scheduler: "sh",
    admin: "off",
    logFormat: "json",
    logLevel: "debug",
  });
  assert.equal(configJson(fromOptions), configJson(loadConfig(text, "", () => undefined)));
});

Deno.test("options: every mistake is told with its option, once", async () => {
  const wrong = () =>
    configFromOptions({
      tcp: ["localhost:80", ":8080"],
      udp: ["5300"],
      to: ["127.0.0.1:3001@x"],
      scheduler: "wcl",
      admin: "0.0.0.0:9180",
      logFormat: "yaml",
      logLevel: "loud",
    });
  await assert.rejects(wrong, (error) => {
    assert.ok(error instanceof UsageError);
    assert.equal(error.exitCode, 2);
    const lines = error.message.split("\n");
    assert.deepEqual(lines.map((it) => it.split(":")[0]).sort(), [
      "--admin",
      "--log",
      "--log-level",
      "--scheduler",
      "--tcp",
      "--to",
      "--udp",
    ]);
    assert.ok(
      lines.includes(
        '--scheduler: unknown scheduler "wcl"; allowed: rr, wrr, lc, wlc, sed, nq, sh, mh, dh, lblc, lblcr, fo, ovf, twos; did you mean "wlc"?',
      ),
    );
    return true;
  });
});

Deno.test("options: what is missing", async () => {
  await assert.rejects(configFromOptions({ ...ONE, to: [] }), /^UsageError: --to is missing/);
  await assert.rejects(configFromOptions({ ...ONE, to: [" , "] }), /--to is missing/);
  await assert.rejects(configFromOptions({ ...ONE, tcp: [] }), /--tcp or --udp is missing/);
});

Deno.test("options: variables are the shell's business", async () => {
  await assert.rejects(
    configFromOptions({ ...ONE, to: ["${SERVER}"] }),
    /--to: destination "\$\{SERVER\}" is no address/,
  );
});

/** Mostly right. */
function mostly<T>(right: readonly T[], wrong: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...right) },
    { weight: 1, arbitrary: fc.constantFrom(...wrong) },
  );
}

const LISTENS = mostly([":8080", "127.0.0.1:0", "[::1]:53", "10.0.0.1:9180", ":9181", "[::]:80"], [
  "",
  "8080",
  "localhost:80",
  "224.0.0.1:80",
  ":70000",
  ":9180",
]);
const SERVERS = mostly([
  "127.0.0.1:3001",
  "127.0.0.1:3002@3",
  "web",
  "Web.Example.:80@0",
  "[::1]:1",
  "10.0.0.1",
], [
  "10.0.0.1:0",
  "0.0.0.0:80",
  "10.0.0.1@x",
  "127.0.0.1:8080",
  "a b",
]);
const PLAIN = fc.record({
  admin: fc.record({
    listen: mostly(["off", "127.0.0.1:9180", "[::1]:9181", "127.0.0.1:0"], ["on", "0.0.0.0:9180", "name:1"]),
  }, { requiredKeys: [] }),
  log: fc.record({
    format: mostly(["text", "json"], ["yaml", ""]),
    level: mostly(["debug", "error"], ["loud"]),
  }, {
    requiredKeys: [],
  }),
  services: fc.array(
    fc.record({
      listen: LISTENS,
      protocol: fc.constantFrom("tcp" as const, "udp" as const),
      destinations: fc.array(SERVERS, { maxLength: 4 }),
      scheduler: mostly(SCHEDULER_NAMES, ["wcl", ""]),
    }, { requiredKeys: ["listen", "protocol", "destinations"] }),
    { maxLength: 3 },
  ),
});

Deno.test("options: without the schema they are right when the schema finds them right, and mean the same", () => {
  const found = { right: 0, wrong: 0 };
  fc.assert(
    fc.property(PLAIN, (plain) => {
      const bySchema = validate(plain, "");
      const bySelf = rightConfig(plain);
      found[bySelf === undefined ? "wrong" : "right"]++;
      assert.equal(bySelf === undefined, "mistakes" in bySchema);
      if (bySelf !== undefined && "config" in bySchema) {
        assert.equal(configJson(bySelf), configJson(bySchema.config));
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(found.right > 100 && found.wrong > 100, JSON.stringify(found));
});
