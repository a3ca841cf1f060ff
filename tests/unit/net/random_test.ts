/** The seeded generator: repeatable, in range, even enough to spread load. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SeededRandom } from "../../../net/random.ts";
import { proveProperty } from "./property.ts";

Deno.test("random: a seed repeats its run, another one does not", () => {
  const run = (seed: number) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 20 }, () => random.below(2 ** 32));
  };
  proveProperty(fc.property(fc.integer(), (seed) => {
    assert.deepEqual(run(seed), run(seed));
    assert.notDeepEqual(run(seed), run(seed + 1));
  }));
});

Deno.test("random: whole numbers from 0 up to the limit", () => {
  proveProperty(fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, limit) => {
    const random = new SeededRandom(seed);
    for (let i = 0; i < 20; i++) {
      const number = random.below(limit);
      assert.ok(Number.isInteger(number) && number >= 0 && number < limit, `${number} of ${limit}`);
    }
  }));
});

/** Chi-square with 15 degrees of freedom: a fair source stays below this in all but one of 10^6 runs. */
const CHI_SQUARE_LIMIT = 56.5;

for (const seed of [0, 1, 42, -1, 0x7fffffff]) {
  Deno.test(`random: 64,000 numbers of seed ${seed} are even over 16 bins`, () => {
    const random = new SeededRandom(seed);
    const bins = new Array<number>(16).fill(0);
    for (let i = 0; i < 64_000; i++) {
      const bin = random.below(16);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    const chiSquare = bins.reduce((sum, seen) => sum + (seen - 4_000) ** 2 / 4_000, 0);
    assert.ok(chiSquare < CHI_SQUARE_LIMIT, `${chiSquare}: ${bins}`);
  });
}
