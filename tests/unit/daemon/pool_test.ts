import assert from "node:assert/strict";
import fc from "fast-check";
import { type Candidate, decidePool, type PoolPolicy } from "../../../daemon/pool.ts";

const UP: Candidate = { weight: 2, up: true, resolved: true, loop: false, duplicate: false };
const DOWN: Candidate = { ...UP, up: false };
const PLAIN: PoolPolicy = { onDown: "quiesce", whenAllDown: "refuse", hasSorryServer: false };

const ROWS: {
  what: string;
  candidate: Candidate;
  policy?: Partial<PoolPolicy>;
  present: boolean;
  weight: number;
}[] = [
  { what: "up takes part with its weight", candidate: UP, present: true, weight: 2 },
  { what: "down is quiesced", candidate: DOWN, present: true, weight: 0 },
  { what: "down is removed", candidate: DOWN, policy: { onDown: "remove" }, present: false, weight: 0 },
  { what: "quiesced by its owner stays so", candidate: { ...UP, weight: 0 }, present: true, weight: 0 },
  { what: "an unresolved name is absent", candidate: { ...UP, resolved: false }, present: false, weight: 0 },
  {
    what: "the second name of one address is absent",
    candidate: { ...UP, duplicate: true },
    present: false,
    weight: 0,
  },
  { what: "a loop gets nothing", candidate: { ...UP, loop: true }, present: true, weight: 0 },
];

for (const { what, candidate, policy, present, weight } of ROWS) {
  Deno.test(`pool: ${what}`, () => {
    const { memberships } = decidePool([candidate, UP], { ...PLAIN, ...policy });
    assert.deepEqual(memberships[0], { present, effectiveWeight: weight });
  });
}

Deno.test("pool: with all down, use-all disbelieves the monitor and refuse does not", () => {
  const weights = (policy: PoolPolicy) =>
    decidePool([DOWN, DOWN], policy).memberships.map((it) => it.effectiveWeight);
  assert.deepEqual(weights({ ...PLAIN, whenAllDown: "use-all" }), [2, 2]);
  assert.deepEqual(weights(PLAIN), [0, 0]);
});

Deno.test("pool: a sorry server goes before use-all", () => {
  const decision = decidePool([DOWN], { ...PLAIN, whenAllDown: "use-all", hasSorryServer: true });
  assert.equal(decision.sorryServerActive, true);
  assert.equal(decision.memberships[0]?.effectiveWeight, 0);
});

Deno.test("pool: properties over every combination", () => {
  const candidate = fc.record({
    weight: fc.integer({ min: 0, max: 3 }),
    up: fc.boolean(),
    resolved: fc.boolean(),
    loop: fc.boolean(),
    duplicate: fc.boolean(),
  });
  const policy = fc.record({
    onDown: fc.constantFrom("quiesce" as const, "remove" as const),
    whenAllDown: fc.constantFrom("refuse" as const, "use-all" as const),
    hasSorryServer: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(candidate, { maxLength: 6 }), policy, (candidates, rules) => {
      const { memberships, liveCount, sorryServerActive } = decidePool(candidates, rules);
      assert.equal(memberships.length, candidates.length);
      memberships.forEach((membership, i) => {
        const it = candidates[i];
        assert.ok(it !== undefined);
        if (membership.effectiveWeight > 0) assert.ok(membership.present && it.resolved && !it.loop);
        assert.ok(membership.effectiveWeight === 0 || membership.effectiveWeight === it.weight);
      });
      const serving = memberships.filter((it) => it.effectiveWeight > 0).length;
      if (liveCount > 0) assert.equal(serving, liveCount);
      assert.equal(sorryServerActive, liveCount === 0 && rules.hasSorryServer);
      if (sorryServerActive) assert.equal(serving, 0);
    }),
    { numRuns: 2_000, verbose: 1 },
  );
});
