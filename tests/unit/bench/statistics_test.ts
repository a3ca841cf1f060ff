/** What the benchmark makes of its runs. */
import assert from "node:assert/strict";
import { pairRatios, spread } from "../../../bench/statistics.ts";

Deno.test("bench: the median of an odd and an even number of runs, and the ends", () => {
  assert.deepEqual(spread([3, 1, 10]), { median: 3, lowest: 1, highest: 10 });
  assert.deepEqual(spread([10, 2, 4, 1]), { median: 3, lowest: 1, highest: 10 });
  assert.deepEqual(spread([7]), { median: 7, lowest: 7, highest: 7 });
  assert.throws(() => spread([]), /no runs/);
});

Deno.test("bench: ratios are taken round by round, and a failed run makes none", () => {
  // The machine was half as fast in the second round: the ratio does not see it.
  assert.deepEqual(pairRatios([100, 50], [200, 100]), [0.5, 0.5]);
  assert.deepEqual(pairRatios([100, 0, 30], [200, 100, 0]), [0.5]);
});
