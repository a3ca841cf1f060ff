import assert from "node:assert/strict";
import fc from "fast-check";
import { NO_DESTINATION } from "../../schedulers/scheduler.ts";
import { wrr } from "../../schedulers/wrr.ts";
import { Service } from "../conformance/schedulers/service.ts";

Deno.test("wrr: any full cycle gives every server exactly its share, whatever was picked and edited before", () => {
  const weights = fc.array(fc.oneof(fc.nat(9), fc.integer({ min: 0, max: 6 }).map((it) => it * 30)), {
    ...{ minLength: 1, maxLength: 12 },
  });
  const edits = fc.array(fc.record({ picks: fc.nat(40), which: fc.nat(11), weight: fc.nat(20) }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(weights, edits, (weights, edits) => {
      const service = new Service(wrr);
      const handles = service.addAll(weights.map((weight, i) => ({ address: `10.0.0.${i + 1}`, weight })));
      for (const { picks, which, weight } of edits) {
        for (let i = 0; i < picks; i++) service.pick();
        service.setWeight(handles[which % handles.length] ?? NO_DESTINATION, weight);
      }
      const effective = handles.map((handle) => service.weight(handle));
      const divisor = effective.reduce((a, b) => gcd(a, b), 0) || 1;
      const shares = new Map(handles.map((handle) => [handle, 0]));
      const cycle = effective.reduce((sum, weight) => sum + weight, 0) / divisor;
      for (let i = 0; i < cycle; i++) {
        const chosen = service.pick();
        shares.set(chosen, (shares.get(chosen) ?? 0) + 1);
      }
      assert.deepEqual([...shares.values()], effective.map((weight) => weight / divisor));
    }),
    { numRuns: 500 },
  );
});

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
