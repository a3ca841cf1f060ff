/** The option types of healthcheck/ and those of config/ are kept in step: neither room imports the other. */
import assert from "node:assert/strict";
import type { HealthCheckConfig, PassiveHealthConfig } from "../../../config/model.ts";
import { type CheckOptions, makeCheck } from "../../../healthcheck/make_check.ts";
import type { HealthTiming, PassiveHealth } from "../../../healthcheck/timing.ts";

Deno.test("config: a validated health check is a check's options as it is, and the other way round", () => {
  const options = (config: HealthCheckConfig): CheckOptions & HealthTiming => config;
  const config = (options: CheckOptions & HealthTiming): HealthCheckConfig => options;
  const passive = (config: PassiveHealthConfig): PassiveHealth => config;
  const passiveConfig = (options: PassiveHealth): PassiveHealthConfig => options;
  const timing: HealthTiming = {
    intervalMs: 2_000,
    fastIntervalMs: 1_000,
    downIntervalMs: 2_000,
    timeoutMs: 1_000,
    rise: 2,
    fall: 3,
    initialState: "up",
  };
  const checks: CheckOptions[] = [
    { type: "tcp" },
    { type: "http", method: "GET", path: "/", headers: {}, status: [], verify: false },
    { type: "https", method: "GET", path: "/", headers: {}, status: [], verify: true },
    { type: "udp", send: new Uint8Array() },
    { type: "exec", command: ["true"], environment: {} },
  ];
  for (const check of checks) {
    assert.equal(makeCheck(options(config({ ...timing, ...check }))).type, check.type);
  }
  const witness = { failures: 5, ejectMs: 30_000, maxEjectedPercent: 50 };
  assert.deepEqual(passive(passiveConfig(witness)), witness);
});
