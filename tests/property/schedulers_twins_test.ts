import assert from "node:assert/strict";
import fc from "fast-check";
import { IpAddress } from "../../net/address.ts";
import { SH_FALLBACK, SH_PORT } from "../../schedulers/sh.ts";
import { findScheduler, SCHEDULER_NAMES } from "../../schedulers/registry.ts";
import type { Scheduler } from "../../schedulers/scheduler.ts";
import { MEMORIES, Service } from "../conformance/schedulers/service.ts";
import { listOf, makeTwin } from "../conformance/schedulers/twins.ts";

/** One thing that happens to a service; `which` selects a server modulo how many there are. */
type Step =
  | { kind: "add"; weight: number; port: number }
  | { kind: "remove" | "overload"; which: number }
  | { kind: "overloadAll"; overloaded: boolean }
  | { kind: "weight"; which: number; weight: number }
  | { kind: "load"; which: number; active: number; inactive: number }
  | { kind: "pick"; client: number; port: number; times: number };

const which = fc.nat(63);
const weight = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: 13, max: 400 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("add" as const), weight, port: fc.nat(65_535) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("remove" as const, "overload" as const), which }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("weight" as const), which, weight }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("overloadAll" as const), overloaded: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ kind: fc.constant("load" as const), which },
      active: fc.nat(50),
      inactive: fc.nat(600),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("pick" as const),
      client: fc.nat(0xffff_ffff),
      port: fc.nat(65_535),
      times: fc.integer({ min: 1, max: 30 }),
    }),
  },
);

for (const name of SCHEDULER_NAMES) {
  const scheduler = findScheduler(name);
  assert.ok(scheduler);
  for (const flags of name === "sh" ? [0, SH_FALLBACK, SH_PORT, SH_FALLBACK | SH_PORT] : [0]) {
    Deno.test(`${name} (flags ${flags}) decides like its plain twin through any history, in any memory`, () => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 60, size: "max" }),
          fc.constantFrom(...Object.values(MEMORIES)),
          (steps, memory) => live(scheduler, flags, memory, steps),
        ),
        { numRuns: 120 },
      );
    });
  }
}

function live(
  scheduler: Scheduler,
  flags: number,
  memory: (bytes: number) => ArrayBufferLike,
  steps: readonly Step[],
): void {
  const service = new Service(scheduler, { flags, memory });
  const twin = makeTwin(scheduler, flags);
  for (const [index, step] of steps.entries()) {
    if (step.kind === "add") {
      service.add({ address: `10.0.${index >> 8}.${index & 255}`, weight: step.weight, port: step.port });
      twin.changed(listOf(service));
      continue;
    }
    if (step.kind === "overloadAll") {
      for (const handle of service.handles) service.server(handle).overloaded = step.overloaded;
      continue;
    }
    if (step.kind === "pick") {
      const client = IpAddress.ipv4(step.client);
      for (let i = 0; i < step.times; i++) {
        const expected = twin.pick(listOf(service), { words: client.words, port: step.port });
        assert.equal(service.pick(client.toString(), step.port), expected, `step ${index}, pick ${i}`);
      }
      continue;
    }
    const handle = service.handles[step.which % service.size];
    if (handle !== undefined) change(service, handle, step, twin);
  }
}

function change(
  service: Service,
  handle: number,
  step: Exclude<Step, { kind: "add" | "pick" | "overloadAll" }>,
  twin: ReturnType<typeof makeTwin>,
): void {
  const server = service.server(handle);
  switch (step.kind) {
    case "remove": {
      const before = listOf(service);
      service.remove(handle);
      return twin.changed(listOf(service), handle, before);
    }
    case "weight":
      service.setWeight(handle, step.weight);
      return twin.changed(listOf(service));
    case "overload":
      server.overloaded = !server.overloaded;
      return;
    case "load":
      server.activeConns = step.active;
      server.inactiveConns = step.inactive;
  }
}
