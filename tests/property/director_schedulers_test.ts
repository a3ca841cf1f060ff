/** Every scheduler inside the director. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { DIRECTION, TCP_FLAG } from "../../net/flow.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler, SCHEDULER_NAMES } from "../../schedulers/registry.ts";
import { SCHEDULER_FLAG } from "../../schedulers/scheduler.ts";
import { Store } from "../../director/store.ts";
import { counts, destination, makeDirector, tcp, tcpService } from "../unit/director/testbed.ts";
import { assertCountersFit, type Script, script, Town } from "./director_town.ts";

for (const name of SCHEDULER_NAMES) {
  const scheduler = findScheduler(name);
  assert.ok(scheduler);

  Deno.test(`director with ${name}: both memories decide alike, and counters fit the entries and end at zero`, () => {
    fc.assert(
      fc.property(script, fc.boolean(), ({ steps, ...options }: Script, marked) => {
        const towns = [false, true].map((shared) => new Town({ ...options, scheduler, marked, shared }));
        for (const town of towns) {
          for (const it of steps) {
            town.live(it);
            assertCountersFit(town);
          }
        }
        const [one, other] = towns.map((town) => ({
          log: town.log,
          counters: town.destinations().map(counts),
          entries: [...town.director.connections()],
        }));
        assert.deepEqual(one, other);
        for (const town of towns) {
          for (let i = 0; i < 12; i++) town.wait(100_000);
          for (const view of town.destinations()) assert.deepEqual(counts(view), [0, 0, 0]);
        }
      }),
      { numRuns: 50 },
    );
  });
}

const FLOWS = 100_000;
const { flag1, flag2 } = SCHEDULER_FLAG;

for (const name of ["sh", "mh"]) {
  for (const flags of [0, flag1 | flag2]) {
    Deno.test(`two directors of the same config choose the same server for ${FLOWS} random flows: ${name}, flags ${flags}`, () => {
      const seed = Date.now() >>> 0;
      // The directors' own random numbers differ.
      const [one = [], other = []] = [7, 8].map((own) => serversOf(name, flags, own, seed));
      const differing = one.findIndex((server, i) => server !== other[i]);
      assert.equal(
        differing,
        -1,
        `seed ${seed}: flow ${differing} goes to ${one[differing]}, ${other[differing]}`,
      );
      assert.equal(new Set(one).size, 5, `seed ${seed}: all servers get flows`);
    });
  }
}

/** The servers that a director with this config gives to random flows. */
function serversOf(scheduler: string, flags: number, own: number, seed: number): string[] {
  const director = makeDirector({
    store: Store.create({ capacities: { services: 1, destinations: 8, schedulerCells: 8_192 } }),
    random: new SeededRandom(own),
    findScheduler,
  });
  const service = director.addService(tcpService("10.99.0.1:80", { scheduler, flags }), 0);
  for (const [i, weight] of [1, 4, 2, 1, 7].entries()) {
    director.addDestination(service, destination(`10.2.0.${i + 1}:80`, { weight }), 0);
  }
  const random = new SeededRandom(seed);
  const flow = tcp("192.0.2.1:1024");
  return Array.from({ length: FLOWS }, () => {
    flow.client[0] = random.below(2 ** 32);
    flow.clientPort = 1_024 + random.below(60_000);
    const chosen = director.segment(flow, DIRECTION.input, TCP_FLAG.syn, 40, 0).destination;
    director.forget(flow, 0);
    return director.destinationAddress(chosen).host;
  });
}
