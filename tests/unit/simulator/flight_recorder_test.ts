import assert from "node:assert/strict";
import fc from "fast-check";
import type { Clock } from "../../../clock.ts";
import { Store } from "../../../director/store.ts";
import { IpAddress } from "../../../net/address.ts";
import { DIRECTION, Flow, PROTOCOL, TCP_FLAG } from "../../../net/flow.ts";
import { SeededRandom } from "../../../net/random.ts";
import { findScheduler, SCHEDULER_NAMES } from "../../../schedulers/registry.ts";
import { FlightRecorder } from "../../../simulator/flight_recorder.ts";
import { FlightRing } from "../../../director/flight_ring.ts";
import { RecordedDirector } from "../../../director/recorded_director.ts";
import { readScript } from "../../../simulator/script_reader.ts";
import { Simulation } from "../../../simulator/simulation.ts";

const SEED = 7;
const CAPACITIES = { services: 4, destinations: 32, persistenceTemplates: 256, schedulerCells: 1 << 19 };
const VIRTUAL = { address: IpAddress.parse("10.0.0.1"), port: 80 };

/** A recorded director under random traffic and changes, as a daemon would drive it. */
class Flight implements Clock {
  readonly ring: FlightRing;
  readonly recorder: FlightRecorder;
  readonly director: RecordedDirector;
  readonly #service: number;
  readonly #destinations: number[] = [];
  readonly #flows: Flow[] = [];
  #nowMs = 1_000_000.25;

  constructor(scheduler: string, options: { rows?: number; persistent?: boolean; protocol?: number } = {}) {
    this.ring = FlightRing.create({ rows: options.rows ?? 4_096 });
    this.recorder = new FlightRecorder([this.ring], this);
    this.director = new RecordedDirector({
      store: Store.create({ capacities: CAPACITIES }),
      random: new SeededRandom(SEED),
      findScheduler,
      connectionEntries: 2_048,
      ring: this.ring,
      recorder: this.recorder,
    });
    const key = { protocol: options.protocol ?? PROTOCOL.tcp, ...VIRTUAL };
    const persistence = { timeoutMs: 20_000, prefixLength: 32 };
    this.#service = this.director.addService({
      key,
      scheduler,
      ...(options.persistent ? { persistence } : {}),
    }, this.#nowMs);
    for (let i = 0; i < 3; i++) this.add(i);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 0;
  }

  after(): never {
    throw new Error("a flight record waits for nothing");
  }

  add(i: number): void {
    const address = IpAddress.ipv4(0x0a010000 + i);
    if (this.director.findDestination(this.#service, { address, port: 80 }) !== undefined) return;
    const spec = { address, port: 80, method: "nat", weight: 1 + i % 3 } as const;
    this.#destinations.push(this.director.addDestination(this.#service, spec, this.#nowMs));
  }

  open(client: number, protocol: number): void {
    const from = { address: IpAddress.ipv4(0xc0000200 + client), port: 1_000 + this.#flows.length };
    const flow = Flow.between(protocol, from, VIRTUAL);
    flow.packets = 0;
    this.#flows.push(flow);
    const isTcp = protocol === PROTOCOL.tcp;
    this.#segment(flow, DIRECTION.input, isTcp ? TCP_FLAG.syn : 0);
    if (!isTcp) return;
    this.#segment(flow, DIRECTION.output, TCP_FLAG.syn | TCP_FLAG.ack);
    this.#segment(flow, DIRECTION.input, TCP_FLAG.ack);
  }

  touch(which: number, what: number): void {
    const flow = this.#flows[which % Math.max(1, this.#flows.length)];
    if (flow === undefined) return;
    if (what === 0) this.#segment(flow, DIRECTION.input, TCP_FLAG.fin | TCP_FLAG.ack);
    else if (what === 1) this.#segment(flow, DIRECTION.output, TCP_FLAG.fin | TCP_FLAG.ack);
    else if (what === 2) this.#segment(flow, DIRECTION.input, TCP_FLAG.rst);
    else if (what === 3) this.director.forget(flow, this.#nowMs);
    else this.director.reschedule(flow, this.#destinations.slice(0, 1), this.#nowMs);
  }

  change(which: number, what: number): void {
    const i = which % Math.max(1, this.#destinations.length);
    const handle = this.#destinations[i];
    if (handle === undefined || what === 0) return this.add(which);
    if (what === 1) this.director.setWeight(handle, which % 4, this.#nowMs);
    else if (what === 2) {
      this.#destinations.splice(i, 1);
      this.director.deleteDestination(handle, this.#nowMs);
    } else {
      const order = this.director.destinationViews(this.#service).map((it) => it.handle).reverse();
      this.director.orderDestinations(this.#service, order, this.#nowMs);
    }
  }

  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    while (this.#nowMs < endMs) {
      this.#nowMs = Math.min(endMs, this.#nowMs + 1_000.125);
      this.director.advance(this.#nowMs);
    }
  }

  record(): string {
    return this.recorder.record({ seed: SEED, wallTime: "2026-01-01T00:00:00Z" });
  }

  #segment(flow: Flow, direction: 0 | 1, flags: number): void {
    this.#nowMs += 0.0625;
    this.director.segment(flow, direction, flags, 0, this.#nowMs);
  }
}

const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant("open" as const), client: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant("touch" as const), which: fc.nat(99), how: fc.nat(4) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant("change" as const), which: fc.nat(6), how: fc.nat(4) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 90_000 }) }),
  },
);

for (const scheduler of SCHEDULER_NAMES) {
  Deno.test(`flight record: a replay decides alike, ${scheduler}`, () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 60 }),
        fc.boolean(),
        fc.boolean(),
        (events, persistent, udp) => {
          const protocol = udp ? PROTOCOL.udp : PROTOCOL.tcp;
          const flight = new Flight(scheduler, { persistent, protocol });
          for (const it of events) {
            if (it.what === "open") flight.open(it.client, protocol);
            else if (it.what === "touch") flight.touch(it.which, it.how);
            else if (it.what === "change") flight.change(it.which, it.how);
            else flight.pass(it.ms);
          }
          const text = flight.record();
          const simulation = new Simulation({ script: readScript(text, "record"), findScheduler });
          const wrong = [...simulation.run()].filter((it) => !it.asExpected);
          assert.deepEqual(wrong.map(({ line, answer, expected }) => ({ line, answer, expected })), [], text);
          const counts = (director: Simulation["world"]["director"]) =>
            director.services().flatMap(({ handle }) =>
              director.destinationViews(handle).map((
                it,
              ) => [`${it.address}`, it.activeConns, it.inactiveConns])
            );
          assert.deepEqual(counts(simulation.world.director), counts(flight.director), text);
        },
      ),
      { numRuns: 40 },
    );
  });
}

Deno.test("flight record: the ring keeps the newest, and a record from the middle says so", () => {
  const flight = new Flight("rr", { rows: 32 });
  for (let i = 0; i < 50; i++) flight.open(i % 5, PROTOCOL.tcp);
  flight.director.deleteService(flight.director.services()[0]?.handle ?? 0, 2_000_000);
  const text = flight.record();
  assert.match(text, /^# from the middle/m);
  assert.equal(text.match(/segment/g)?.length, 32);
  assert.match(text, /^service tcp:10\.0\.0\.1:80 rr$/m);
  assert.match(text, /^add tcp:10\.0\.0\.1:80 10\.1\.0\.2:80@3 nat$/m);
  assert.match(text, /ms remove tcp:10\.0\.0\.1:80$/m);
  assert.ok(readScript(text, "record").lines.length > 32);
});

Deno.test("flight record: changes beyond their number are folded into the beginning", () => {
  const flight = new Flight("rr");
  const [destination] = flight.director.destinationViews(flight.director.services()[0]?.handle ?? 0);
  for (let i = 0; i < 10_000; i++) flight.director.setWeight(destination?.handle ?? 0, i % 7, 1_000_001 + i);
  const script = readScript(flight.record(), "record");
  assert.ok(script.lines.length <= 4_096 + 10, `${script.lines.length} lines`);
  const simulation = new Simulation({ script, findScheduler });
  for (const _ of simulation.run());
  const [view] = simulation.world.director.destinationViews(
    simulation.world.director.services()[0]?.handle ?? 0,
  );
  assert.equal(view?.weight, 9_999 % 7);
});

Deno.test("flight record: a ring of another thread is read in its memory", () => {
  const ring = FlightRing.create({ shared: true, rows: 8 });
  const seen = () => new FlightRing(ring.buffer).rows().map((it) => [it.call, it.atMs]);
  ring.advance(5);
  ring.publish();
  assert.deepEqual(seen(), [[4, 5]]);
  ring.advance(6);
  ring.advance(7);
  assert.deepEqual(seen(), [[4, 5]], "two of eight may be unseen");
  ring.advance(8);
  assert.deepEqual(seen(), [[4, 5], [4, 6], [4, 7], [4, 8]]);
});

Deno.test("flight record: rows that the writer may be overwriting are left out", () => {
  const ring = FlightRing.create({ shared: true, rows: 8 });
  for (let atMs = 1; atMs <= 20; atMs++) ring.advance(atMs);
  ring.publish();
  assert.deepEqual(new FlightRing(ring.buffer).rows().map((it) => it.atMs), [15, 16, 17, 18, 19, 20]);
});

Deno.test("flight record: who takes a dead thread's place goes on with its ring", () => {
  const ring = FlightRing.create({ shared: true, rows: 8 });
  ring.advance(1);
  ring.publish();
  const next = new FlightRing(ring.buffer);
  next.advance(2);
  next.publish();
  assert.deepEqual(next.rows().map((it) => it.atMs), [1, 2]);
});
