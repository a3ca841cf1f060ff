/** The open loop: what waits because something earlier was slow is late, too. */
import assert from "node:assert/strict";
import { quantileOf, runOpenLoop } from "../../../bench/open_loop.ts";

Deno.test("bench: a quantile is the smallest value that so many do not exceed", () => {
  const values = Array.from({ length: 1_000 }, (_, i) => 1_000 - i);
  assert.equal(quantileOf(values, 0.5), 500);
  assert.equal(quantileOf(values, 0.999), 999);
  assert.equal(quantileOf([7], 0.5), 7);
  assert.equal(quantileOf([], 0.5), 0);
});

Deno.test("bench: a server that pauses makes every request late that was due meanwhile", async () => {
  const PAUSE_MS = 300;
  let asked = 0;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async () => {
    if (asked++ === 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    return new Response("hello\n");
  });
  // On one connection the first answer holds up the 29 requests that are due during its pause.
  const run = { requestsPerSecond: 100, connections: 1, seconds: 0.6 };
  const slowest = await runOpenLoop(server.addr.port, run, 1, AbortSignal.any([]));
  assert.equal(slowest.errors, 0);
  assert.equal(slowest.units, 60);
  assert.ok(slowest.value >= PAUSE_MS * 1_000, `${slowest.value} us`);
  asked = 0;
  const quarter = await runOpenLoop(server.addr.port, run, 0.75, AbortSignal.any([]));
  // A closed loop would have one slow answer in 60; here more than a quarter waits 100 ms or longer.
  assert.ok(quarter.value >= 100_000, `${quarter.value} us`);
});
