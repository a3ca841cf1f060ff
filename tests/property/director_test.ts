/** What holds for any traffic and any administration. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { assertCountersFit, type Script, script, Town } from "./director_town.ts";
import { counts, plainRoundRobin } from "../unit/director/testbed.ts";

const PLAIN = { scheduler: plainRoundRobin, marked: false };

Deno.test("director: counters always fit the entries, and all are zero after the last one expired", () => {
  fc.assert(
    fc.property(script, ({ steps, ...options }: Script) => {
      const town = new Town({ ...options, ...PLAIN, shared: false });
      for (const it of steps) {
        town.live(it);
        assertCountersFit(town);
      }
      for (let i = 0; i < 12; i++) town.wait(100_000);
      assert.deepEqual([town.director.connectionCount, town.director.templateCount], [0, 0]);
      for (const view of town.destinations()) assert.deepEqual(counts(view), [0, 0, 0]);
    }),
    { numRuns: 300 },
  );
});

Deno.test("director: nothing new goes to weight 0, to an overloaded or to a deleted destination, but by template", () => {
  fc.assert(
    fc.property(script, ({ steps, ...options }: Script) => {
      const town = new Town({ ...options, ...PLAIN, shared: false, persistent: false });
      for (const it of steps) {
        const before = new Map(town.destinations().map((view) => [view.handle, view]));
        if (it.kind !== "client") {
          town.live(it);
          continue;
        }
        const connections = before.size === 0 ? 0 : town.director.totals().connections;
        town.live(it);
        if (town.director.totals().connections === connections) continue;
        const grown = town.destinations().filter((view) =>
          view.statistics.connections > (before.get(view.handle)?.statistics.connections ?? 0)
        );
        assert.equal(grown.length, 1);
        for (const view of grown) {
          const then = before.get(view.handle);
          assert.ok(then !== undefined && then.weight > 0 && !then.overloaded, `${view.address}`);
        }
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("director: both memories decide alike", () => {
  fc.assert(
    fc.property(script, ({ steps, ...options }: Script) => {
      const [one, other] = [false, true].map((shared) => {
        const town = new Town({ ...options, ...PLAIN, shared });
        for (const it of steps) town.live(it);
        return {
          log: town.log,
          counters: town.destinations().map(counts),
          entries: [...town.director.connections()],
        };
      });
      assert.deepEqual(one, other);
    }),
    { numRuns: 150 },
  );
});
