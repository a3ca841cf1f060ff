import assert from "node:assert/strict";
import fc from "fast-check";
import { IpAddress } from "../../net/address.ts";
import { SeededRandom } from "../../net/random.ts";
import { findScheduler, SCHEDULER_NAMES } from "../../schedulers/registry.ts";
import { type Scheduler, SCHEDULER_FLAG } from "../../schedulers/scheduler.ts";
import { MEMORIES, Service } from "../conformance/schedulers/service.ts";
import { listOf, type Twin } from "../conformance/schedulers/twin.ts";
import { makeTwin } from "../conformance/schedulers/twins.ts";

const { flag1: FALLBACK, flag2: PORT } = SCHEDULER_FLAG;

/** One thing that happens to a service; `which` selects a server modulo how many there are. */
type Step =
  | { kind: "add"; weight: number; port: number }
  | { kind: "remove" | "revive" | "overload"; which: number }
  | { kind: "wait"; ms: number }
  | { kind: "overloadAll"; overloaded: boolean }
  | { kind: "weight"; which: number; weight: number }
  | { kind: "load"; which: number; active: number; inactive: number }
  | { kind: "pick"; client: number; port: number; virtual: number; times: number };

/** Of lblc and lblcr in these histories. */
const EXPIRATION_MS = 3_000;

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
    arbitrary: fc.record({
      kind: fc.constantFrom("remove" as const, "revive" as const, "overload" as const),
      which,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.constantFrom(40, 2_960, 3_000, 3_040, 60_000, 400_000, 1_800_000, 90_000_000),
    }),
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
      virtual: fc.nat(4),
      times: fc.integer({ min: 1, max: 30 }),
    }),
  },
);

for (const name of SCHEDULER_NAMES) {
  const scheduler = findScheduler(name);
  assert.ok(scheduler);
  const hasFlags = name === "sh" || name === "mh";
  for (const flags of hasFlags ? [0, FALLBACK, PORT, FALLBACK | PORT] : [0]) {
    Deno.test(`${name} (flags ${flags}) decides like its plain twin through any history, in any memory`, () => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 60, size: "max" }),
          fc.constantFrom(...Object.values(MEMORIES)),
          (steps, memory) => new Pair(scheduler, flags, memory).live(steps),
        ),
        { numRuns: 120 },
      );
    });
  }
}

/** A scheduler and its twin, both in charge of the same servers. */
class Pair {
  readonly #service: Service;
  readonly #twin: Twin;
  readonly #removed: number[] = [];

  constructor(scheduler: Scheduler, flags: number, memory: (bytes: number) => ArrayBufferLike) {
    this.#service = new Service(scheduler, { flags, memory, random: new SeededRandom(5) });
    this.#service.question.lblcExpirationMs = EXPIRATION_MS;
    this.#service.question.lblcrExpirationMs = EXPIRATION_MS;
    this.#twin = makeTwin(scheduler, flags, new SeededRandom(5));
  }

  live(steps: readonly Step[]): void {
    for (const [index, step] of steps.entries()) {
      if (step.kind === "pick") this.#pick(step, index);
      else if (step.kind === "wait") this.#service.nowMs += step.ms;
      else this.#change(step, index);
    }
  }

  #pick({ client, port, virtual, times }: Extract<Step, { kind: "pick" }>, index: number): void {
    const service = this.#service;
    const from = IpAddress.ipv4(client);
    const to = IpAddress.ipv4(0xc633_6400 + virtual);
    const call = {
      client: from.words,
      clientPort: port,
      virtual: to.words,
      nowMs: service.nowMs,
      expirationMs: EXPIRATION_MS,
      server: (handle: number) => ({ ...service.server(handle), handle }),
    };
    service.question.flow.virtual.set(to.words);
    for (let i = 0; i < times; i++) {
      const expected = this.#twin.pick(listOf(service), call);
      assert.equal(service.pick(from.toString(), port), expected, `step ${index}, pick ${i}`);
    }
  }

  #change(step: Exclude<Step, { kind: "pick" | "wait" }>, index: number): void {
    const service = this.#service;
    const before = listOf(service);
    const gone = step.kind === "remove" ? service.handles[step.which % service.size] : undefined;
    if (step.kind === "add") {
      service.add({ address: `10.0.${index >> 8}.${index & 255}`, weight: step.weight, port: step.port });
    } else if (step.kind === "overloadAll") {
      for (const handle of service.handles) service.server(handle).overloaded = step.overloaded;
      return;
    } else if (step.kind === "revive") {
      const [handle] = this.#removed.splice(step.which % Math.max(1, this.#removed.length), 1);
      if (handle === undefined) return;
      service.revive(handle);
    } else if (!this.#changeServer(step)) return;
    this.#twin.changed(listOf(service), gone, before);
  }

  /** Whether the scheduler has been told. */
  #changeServer(step: Extract<Step, { which: number }>): boolean {
    const service = this.#service;
    const handle = service.handles[step.which % service.size];
    if (handle === undefined) return false;
    const server = service.server(handle);
    switch (step.kind) {
      case "remove":
        service.remove(handle);
        this.#removed.push(handle);
        return true;
      case "weight":
        service.setWeight(handle, step.weight);
        return true;
      case "load":
        server.activeConns = step.active;
        server.inactiveConns = step.inactive;
        return false;
      default:
        server.overloaded = !server.overloaded;
        return false;
    }
  }
}
