/** The cost of a scheduler's decision. */
import assert from "node:assert/strict";
import { EMPTY_CALL, measurePicks, picksTable } from "../../../bench/picks.ts";
import { SCHEDULER_NAMES } from "../../../schedulers/registry.ts";

Deno.test("bench: every scheduler is measured beside an empty call, and none allocates", () => {
  const results = measurePicks({ rounds: 1, runMs: 1, heapPicks: 200_000 });
  assert.deepEqual(results.map(({ scheduler }) => scheduler), [EMPTY_CALL, ...SCHEDULER_NAMES]);
  for (const { scheduler, ns, bytes } of results) {
    // The smallest object has 12 bytes; what the runtime does on the side comes to one or two.
    assert.ok(ns.lowest > 0 && bytes < 4, `${scheduler}: ${ns.lowest} ns, ${bytes} bytes`);
  }
  const lines = picksTable(results).split("\n");
  assert.match(lines[2] ?? "", /^empty call +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$/);
  assert.equal(lines.length, 3 + results.length);
});
