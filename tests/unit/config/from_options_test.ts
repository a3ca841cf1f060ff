import assert from "node:assert/strict";
import { UsageError } from "../../../errors.ts";
import { configFromOptions, type ConfigOptions } from "../../../config/from_options.ts";
import { loadConfig } from "../../../config/load.ts";
import { configJson } from "../../conformance/config_golden.ts";

const ONE: ConfigOptions = { tcp: [":8080"], udp: [], to: ["127.0.0.1:3001,127.0.0.1:3002@3"] };

Deno.test("options: give the config that a file with the same words gives", () => {
  const text = `
admin: {listen: off}
log: {format: json, level: debug}
services:
  - {listen: :8080, scheduler: sh, destinations: [127.0.0.1:3001, 127.0.0.1:3002@3, web]}
  - {listen: :8081, scheduler: sh, destinations: [127.0.0.1:3001, 127.0.0.1:3002@3, web]}
  - {listen: :5300, scheduler: sh, protocol: udp, destinations: [127.0.0.1:3001, 127.0.0.1:3002@3, web]}
`;
  const fromOptions = configFromOptions({
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

Deno.test("options: every mistake is told with its option, once", () => {
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
  assert.throws(wrong, (error) => {
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

Deno.test("options: what is missing", () => {
  assert.throws(() => configFromOptions({ ...ONE, to: [] }), /^UsageError: --to is missing/);
  assert.throws(() => configFromOptions({ ...ONE, to: [" , "] }), /--to is missing/);
  assert.throws(() => configFromOptions({ ...ONE, tcp: [] }), /--tcp or --udp is missing/);
});

Deno.test("options: variables are the shell's business", () => {
  assert.throws(
    () => configFromOptions({ ...ONE, to: ["${SERVER}"] }),
    /--to: destination "\$\{SERVER\}" is no address/,
  );
});
