/** What holds of single schedulers, whatever the servers and the clients. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { findScheduler, SCHEDULER_NAMES } from "../../schedulers/registry.ts";
import { mh } from "../../schedulers/mh.ts";
import { NO_DESTINATION, type Scheduler, SCHEDULER_FLAG } from "../../schedulers/scheduler.ts";
import { sh } from "../../schedulers/sh.ts";
import { SeededRandom } from "../../net/random.ts";
import { type ServerText, Service } from "../conformance/schedulers/service.ts";

const FLOWS = 10_000;
const seed = fc.nat(0xffff_ffff);
const HEAVIEST = 2 ** 31 - 1;

/** Servers with addresses of their own, all of the same weight. */
function equalServers(minLength: number, maxLength: number): fc.Arbitrary<ServerText[]> {
  const host = fc.noBias(fc.integer({ min: 1, max: 0xff_ffff }));
  return fc.uniqueArray(host, { minLength, maxLength, size: "max" }).map((hosts) =>
    hosts.map((it) => ({ address: `10.${it >> 16}.${it >> 8 & 255}.${it & 255}` }))
  );
}

/** The answers to flows of random clients, which are the same for the same seed. */
function answers(service: Service, seed: number, flows: number): Int32Array {
  const random = new SeededRandom(seed);
  const { flow } = service.question;
  return Int32Array.from({ length: flows }, () => {
    flow.client[0] = random.below(2 ** 32);
    flow.clientPort = random.below(65_536);
    return service.pickAgain();
  });
}

/**
 * A figure of the typical set: the kernel's table of 4,093 buckets is small enough that single sets of servers do worse. Over 900
 * removals each, 0.0% too many moved on the average with 2 servers, 1.0% with 8 (12% at worst), 1.8% with 24, 2.3% with 50.
 */
Deno.test("mh: removing one of n equal servers, 2 to 16, typically moves less than 1/n + 2% of the flows", () => {
  const sets = fc.integer({ min: 2, max: 16 }).chain((size) =>
    fc.array(fc.tuple(equalServers(size, size), fc.nat(size - 1), seed), { minLength: 21, maxLength: 21 })
  );
  fc.assert(
    fc.property(sets, (sets) => {
      const moved = sets.map(([servers, which, seed]) => {
        const service = new Service(mh);
        const gone = service.addAll(servers)[which] ?? NO_DESTINATION;
        const before = answers(service, seed, FLOWS);
        service.remove(gone);
        const after = answers(service, seed, FLOWS);
        assert.ok(after.every((handle) => service.handles.includes(handle)));
        return before.filter((handle, i) => handle !== after[i]).length / FLOWS;
      });
      const [{ length: size } = []] = sets[0] ?? [];
      const median = moved.sort((a, b) => a - b)[10] ?? NaN;
      assert.ok(median < 1 / size + 0.02, `${median} of ${size} servers`);
    }),
    { numRuns: 50 },
  );
});

Deno.test("mh: quiescing a server and bringing it back moves nobody", () => {
  fc.assert(
    fc.property(equalServers(2, 24), fc.nat(), seed, (servers, which, seed) => {
      const service = new Service(mh);
      const handle = service.addAll(servers)[which % servers.length] ?? NO_DESTINATION;
      const before = answers(service, seed, 2_000);
      service.setWeight(handle, 0);
      const quiesced = answers(service, seed, 2_000);
      service.setWeight(handle, 1);
      for (const [i, chosen] of before.entries()) {
        assert.equal(quiesced[i], chosen === handle ? NO_DESTINATION : chosen);
      }
      assert.deepEqual(answers(service, seed, 2_000), before);
    }),
    { numRuns: 50 },
  );
});

for (const scheduler of [sh, mh]) {
  Deno.test(`${scheduler.name}: two services of the same servers choose the same for 100,000 flows, whatever their seeds`, () => {
    const weights = fc.array(fc.nat(9), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(
        weights,
        fc.constantFrom(...flagsOf(scheduler)),
        seed,
        seed,
        seed,
        (weights, flags, flows, one, other) => {
          const chosen = [one, other].map((own) => {
            const service = new Service(scheduler, { flags, random: new SeededRandom(own) });
            service.addAll(weights.map((weight, i) => ({ address: `10.0.0.${i + 1}`, weight })));
            return answers(service, flows, 100_000);
          });
          assert.deepEqual(chosen[0], chosen[1]);
        },
      ),
      { numRuns: 10 },
    );
  });
}

function flagsOf({ name }: Scheduler): number[] {
  const { flag1, flag2 } = SCHEDULER_FLAG;
  return name === "sh" || name === "mh" ? [0, flag1, flag2, flag1 | flag2] : [0];
}

for (const name of SCHEDULER_NAMES) {
  const scheduler = findScheduler(name);
  assert.ok(scheduler);

  Deno.test(`${name}: the largest weights and full counters, with any divisor, lead to an eligible server or to none`, () => {
    const weight = fc.oneof(
      fc.constantFrom(0, 1, HEAVIEST, HEAVIEST - 1, 2 ** 30),
      fc.integer({ min: 0, max: 2 ** 21 }).map((it) => it * 1_023),
    );
    const server = fc.record({
      weight,
      activeConns: fc.nat(2 ** 22),
      inactiveConns: fc.nat(HEAVIEST),
      overloaded: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(server, { maxLength: 12 }),
        fc.constantFrom(...flagsOf(scheduler)),
        seed,
        (servers, flags, seed) => {
          const service = new Service(scheduler, { flags, random: new SeededRandom(seed) });
          service.addAll(servers.map((it, i) => ({ ...it, address: `10.0.0.${i + 1}` })));
          for (const chosen of answers(service, seed, 40)) {
            if (chosen === NO_DESTINATION) continue;
            assert.ok(service.weight(chosen) > 0 && !service.overloaded(chosen));
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  Deno.test(`${name}: more servers than its table has slots are served or refused, never something else`, () => {
    const service = new Service(scheduler);
    // Cells are made once, for adding 5,000 servers one by one would make them 5,000 times.
    for (let i = 0; i < 5_000; i++) {
      service.addSilently({ address: `10.1.${i >> 8}.${i & 255}`, weight: 1 + i % 3 });
    }
    scheduler.start(service, service.cells);
    const listed = new Set(service.handles);
    for (const chosen of answers(service, 1, 50)) {
      assert.ok(chosen === NO_DESTINATION ? name === "mh" : listed.has(chosen));
    }
  });
}
