import assert from "node:assert/strict";
import { settingsNotInForce } from "../../../daemon/not_in_force.ts";

Deno.test("not in force: socket options on an engine that sets none, and what the native one found", () => {
  const asked = { tcp: { userTimeoutMs: 1_000 }, whenFull: "queue" } as const;
  assert.deepEqual(settingsNotInForce(asked, "portable", []).map((it) => it.setting), ["tcp"]);
  assert.deepEqual(settingsNotInForce({ whenFull: "queue" }, "portable", []), []);
  assert.deepEqual(settingsNotInForce(asked, "native", []), []);
  const found = { setting: "tcp.busyPoll", reason: "the kernel permits it with CAP_NET_ADMIN only" };
  assert.deepEqual(settingsNotInForce(asked, "native", [found, found]), [found]);
});

Deno.test("not in force: maxConnections where nobody counts or waits", () => {
  const settings = (whenFull: "queue" | "refuse", engine: "native" | "portable" | "packet" | "hand-over") =>
    settingsNotInForce({ maxConnections: 9, whenFull }, engine, []).map((it) => it.setting);
  assert.deepEqual([settings("queue", "native"), settings("refuse", "portable")], [[], []]);
  assert.deepEqual(settings("queue", "packet"), ["maxConnections"]);
  assert.deepEqual([settings("queue", "hand-over"), settings("refuse", "hand-over")], [
    ["whenFull: queue"],
    [],
  ]);
});
