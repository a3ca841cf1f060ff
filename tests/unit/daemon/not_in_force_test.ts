import assert from "node:assert/strict";
import { settingsNotInForce } from "../../../daemon/not_in_force.ts";

Deno.test("not in force: socket options on an engine that sets none, and what the native one found", () => {
  const tcp = { userTimeoutMs: 1_000 };
  assert.deepEqual(settingsNotInForce({ tcp }, "portable", []).map((it) => it.setting), ["tcp"]);
  assert.deepEqual(settingsNotInForce({}, "portable", []), []);
  assert.deepEqual(settingsNotInForce({ tcp }, "native", []), []);
  const found = { setting: "tcp.busyPoll", reason: "the kernel permits it with CAP_NET_ADMIN only" };
  assert.deepEqual(settingsNotInForce({ tcp }, "native", [found, found]), [found]);
});
