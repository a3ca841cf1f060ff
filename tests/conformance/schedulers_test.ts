/**
 * What every scheduler owes, whatever its algorithm.
 */
import assert from "node:assert/strict";
import { findScheduler, SCHEDULER_NAMES } from "../../schedulers/registry.ts";
import { NO_DESTINATION, SCHEDULER_FLAG } from "../../schedulers/scheduler.ts";
import { bytesPerCall } from "./schedulers/meter.ts";
import { MEMORIES, type ServerText, Service } from "./schedulers/service.ts";

const SERVERS: readonly ServerText[] = [
  { address: "10.0.0.1", weight: 3 },
  { address: "10.0.0.2", weight: 1 },
  { address: "10.0.0.3", weight: 2 },
  { address: "2001:db8::4", weight: 5 },
];
const CLIENTS = Array.from({ length: 300 }, (_, i) => `198.51.${i % 7}.${i % 251}`);
const ALL_FLAGS = [
  0,
  SCHEDULER_FLAG.flag1,
  SCHEDULER_FLAG.flag2,
  SCHEDULER_FLAG.flag1 | SCHEDULER_FLAG.flag2,
];

Deno.test("the meter of allocations sees an object of 16 bytes per call, and nothing where nothing is", () => {
  let kept: { value: number } | undefined;
  assert.ok(bytesPerCall(() => kept = { value: 1 }) >= 12);
  assert.equal(kept?.value, 1);
  let sum = 0;
  assert.ok(bytesPerCall(() => sum = (sum + 1) | 0) < 4);
});

Deno.test("a name that is not a scheduler's finds none", () => {
  for (const name of ["", "RR", "none", "toString", "__proto__"]) {
    assert.equal(findScheduler(name), undefined);
  }
});

for (const name of SCHEDULER_NAMES) {
  const scheduler = findScheduler(name);
  assert.ok(scheduler);

  Deno.test(`${name}: is found under its own name and owns no state`, () => {
    assert.equal(scheduler.name, name);
    const owned = Object.values(scheduler).filter((value) => typeof value === "object");
    assert.deepEqual(owned, [], "an object in a scheduler would be shared by all services");
  });

  for (const flags of ALL_FLAGS) {
    Deno.test(`${name} (flags ${flags}): no servers, no destination`, () => {
      const service = new Service(scheduler, { flags });
      assert.equal(service.pick(), NO_DESTINATION);
      const [handle = NO_DESTINATION] = service.addAll([{ address: "10.0.0.1" }]);
      assert.equal(service.pick(), handle, "the only server");
      service.remove(handle);
      assert.equal(service.pick(), NO_DESTINATION, "the only server has left");
    });

    Deno.test(`${name} (flags ${flags}): weight 0 and overloaded are never chosen, alone or among others`, () => {
      for (let unfit = 1; unfit < 1 << SERVERS.length; unfit++) {
        for (const by of ["weight", "overload", "both"]) {
          const service = new Service(scheduler, { flags });
          const handles = service.addAll(SERVERS);
          const isUnfit = (handle: number) => (unfit >> handles.indexOf(handle) & 1) === 1;
          for (const handle of handles.filter(isUnfit)) {
            if (by !== "weight") service.server(handle).overloaded = true;
            if (by !== "overload") service.setWeight(handle, 0);
          }
          for (const client of CLIENTS) {
            const chosen = service.connect(client);
            assert.ok(
              chosen === NO_DESTINATION || !isUnfit(chosen),
              `${by}: chose ${chosen} of mask ${unfit}`,
            );
          }
        }
      }
    });
  }

  Deno.test(`${name}: every choice is a server of the list while servers come and go`, () => {
    const service = new Service(scheduler);
    const handles = service.addAll(SERVERS);
    for (const [turn, client] of CLIENTS.entries()) {
      const chosen = service.connect(client);
      assert.ok(
        chosen === NO_DESTINATION || service.handles.includes(chosen),
        `turn ${turn} chose ${chosen}`,
      );
      if (turn % 3 !== 0) continue;
      if (turn % 2 === 0 && service.size > 1) {
        service.remove(chosen === NO_DESTINATION ? service.first : chosen);
      } else handles.push(service.add({ address: `10.1.0.${turn % 250 + 1}`, weight: turn % 4 }));
    }
    for (const handle of [...service.handles]) service.remove(handle);
    assert.equal(service.pick(), NO_DESTINATION);
  });

  Deno.test(`${name}: start builds the cells anew, whatever was in them`, () => {
    const [used, fresh] = [new Service(scheduler), new Service(scheduler)];
    for (const service of [used, fresh]) service.addAll(SERVERS);
    used.cells.fill(-0x1234567);
    for (const service of [used, fresh]) scheduler.start(service, service.cells);
    assert.deepEqual([...used.cells], [...fresh.cells]);
  });

  Deno.test(`${name}: a choice writes to its cells only`, () => {
    const service = new Service(scheduler);
    service.addAll(SERVERS);
    for (const client of CLIENTS) {
      service.pick(client);
      const before = service.snapshot();
      service.pickAgain();
      assert.equal(service.snapshot(), before);
    }
  });

  Deno.test(`${name}: its memory is its cells: a second worker's view of shared cells continues the first's`, () => {
    const alone = new Service(scheduler, { memory: MEMORIES.ArrayBuffer });
    const shared = new Service(scheduler, { memory: MEMORIES.SharedArrayBuffer });
    for (const service of [alone, shared]) service.addAll(SERVERS);
    const view = new Int32Array(shared.cells.buffer, shared.cells.byteOffset, shared.cells.length);
    for (const [turn, client] of CLIENTS.entries()) {
      const cells = turn % 2 === 0 ? shared.cells : view;
      assert.equal(shared.pick(client, turn, cells), alone.pick(client, turn), `turn ${turn}`);
    }
  });

  Deno.test(`${name}: weights of 1 and 2^31-1 and full counters are answered at once, and allocate nothing`, () => {
    const service = new Service(scheduler);
    const [light = -1, heavy = -1] = service.addAll([
      { address: "10.0.0.1", weight: 1, activeConns: 8_388_607, inactiveConns: 255 },
      { address: "10.0.0.2", weight: 2 ** 31 - 1, activeConns: 8_388_607, inactiveConns: 254 },
    ]);
    for (const overloaded of [[], [heavy], [light], [light, heavy]]) {
      for (const handle of [light, heavy]) service.server(handle).overloaded = overloaded.includes(handle);
      const startMs = performance.now();
      const bytes = bytesPerCall(() => service.pickAgain());
      assert.ok(performance.now() - startMs < 5_000);
      assert.ok(bytes < 4, `${bytes} bytes per choice with ${overloaded.length} overloaded`);
    }
  });

  Deno.test(`${name}: a choice allocates nothing`, () => {
    for (const flags of ALL_FLAGS) {
      const service = new Service(scheduler, { flags });
      const handles = service.addAll(SERVERS);
      service.server(handles[0] ?? NO_DESTINATION).overloaded = true;
      service.pick("203.0.113.7");
      const bytes = bytesPerCall(() => service.pickAgain());
      assert.ok(bytes < 4, `${bytes} bytes per choice with flags ${flags}`);
    }
  });
}
