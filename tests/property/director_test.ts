/** What holds for any traffic and any administration. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Director } from "../../director/director.ts";
import { ACTION, type Verdict } from "../../director/verdict.ts";
import type { Flow } from "../../net/flow.ts";
import {
  ACK,
  back,
  counts,
  destination,
  FIN,
  from,
  makeDirector,
  RST,
  SYN,
  target,
  tcp,
  tcpService,
  udp,
  udpService,
} from "../unit/director/testbed.ts";

const SERVERS = 4;
const CLIENTS = 12;

/** One thing that happens. `who` and `n` are cut to what the step can use. */
interface Step {
  readonly kind:
    | "client"
    | "server"
    | "forget"
    | "retry"
    | "weight"
    | "delete"
    | "add"
    | "edit"
    | "sysctl"
    | "wait";
  readonly who: number;
  readonly n: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Step["kind"]>(
    "client",
    "client",
    "client",
    "client",
    "server",
    "server",
    "forget",
    "retry",
    "weight",
    "delete",
    "add",
    "edit",
    "sysctl",
    "wait",
  ),
  who: fc.nat({ max: 1_000 }),
  n: fc.nat({ max: 1_000 }),
});
const script = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 120 }),
  persistent: fc.boolean(),
  onePacket: fc.boolean(),
});
type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

const FLAGS = [SYN, SYN | ACK, ACK, ACK, FIN | ACK, RST, 0];
const SWITCHES = [
  "expire_nodest_conn",
  "expire_quiescent_template",
  "sloppy_tcp",
  "conn_reuse_mode",
] as const;
const WAITS_MS = [1, 40, 2_000, 11_000, 61_000, 125_000, 301_000, 1_000_000];

/** A small town of clients and servers that lives through a script. */
class Town {
  readonly director: Director;
  readonly log: string[] = [];
  nowMs = 0;
  readonly #services: number[];
  readonly #flows: Flow[];

  constructor(options: { shared: boolean; persistent: boolean; onePacket: boolean }) {
    this.director = makeDirector({ shared: options.shared, connectionEntries: 8 });
    const persistence = options.persistent ? { persistence: { timeoutMs: 20_000, prefixLength: 30 } } : {};
    this.#services = [
      this.director.addService(tcpService("10.99.0.1:80", persistence), 0),
      this.director.addService(
        udpService("10.99.0.1:53", { ...persistence, onePacket: options.onePacket }),
        0,
      ),
    ];
    for (const service of this.#services) {
      for (let server = 1; server <= SERVERS; server++) this.#add(service, server, 1);
    }
    this.#flows = Array.from({ length: CLIENTS }, (_, i) => {
      const client = `192.0.2.${1 + (i % 6)}:${1_000 + i}`;
      return i % 3 === 0 ? udp(client) : tcp(client);
    });
  }

  live({ kind, who, n }: Step): void {
    const flow = this.#flows[who % CLIENTS] ?? tcp("192.0.2.1:1");
    const flags = FLAGS[n % FLAGS.length] ?? SYN;
    if (kind === "client") this.#note(from(this.director, flow, flags, this.nowMs));
    else if (kind === "server") this.#note(back(this.director, flow, flags, this.nowMs));
    else if (kind === "forget") this.director.forget(flow, this.nowMs);
    else if (kind === "retry") this.#retry(flow);
    else if (kind === "wait") this.wait(WAITS_MS[n % WAITS_MS.length] ?? 1);
    else if (kind === "sysctl") this.director.sysctl[SWITCHES[who % SWITCHES.length] ?? "sloppy_tcp"] = n % 2;
    else this.#administer(kind, who, n);
  }

  wait(ms: number): void {
    this.nowMs += ms;
    this.director.advance(this.nowMs);
  }

  destinations() {
    return this.#services.flatMap((service) => this.director.destinationViews(service));
  }

  #retry(flow: Flow): void {
    const { destination: first } = from(this.director, flow, ACK, this.nowMs);
    const verdict = this.director.reschedule(flow, [first], this.nowMs);
    if (verdict.action === ACTION.forward) assert.notEqual(verdict.destination, first);
    this.#note(verdict);
  }

  #administer(kind: Step["kind"], who: number, n: number): void {
    const service = this.#services[who % 2] ?? 0;
    const views = this.director.destinationViews(service);
    const view = views[n % Math.max(1, views.length)];
    if (kind === "add") {
      const server = 1 + (n % SERVERS);
      if (!views.some((it) => `${it.address}` === `10.2.0.${server}`)) this.#add(service, server, n % 3);
    } else if (view !== undefined) {
      if (kind === "weight") this.director.setWeight(view.handle, n % 3, this.nowMs);
      else if (kind === "delete") this.director.deleteDestination(view.handle, this.nowMs);
      else this.#edit(`${view.address}:${view.port}`, view.handle, n);
    }
  }

  #edit(endpoint: string, handle: number, n: number): void {
    const upperThreshold = n % 4;
    const spec = { weight: n % 3, upperThreshold, method: n % 2 === 0 ? "nat" : "dr" } as const;
    this.director.editDestination(handle, destination(endpoint, spec), this.nowMs);
  }

  #add(service: number, server: number, weight: number): void {
    this.director.addDestination(service, destination(`10.2.0.${server}:8080`, { weight }), this.nowMs);
  }

  #note(verdict: Verdict): void {
    this.log.push(`${target(this.director, verdict)} ${verdict.reason} ${verdict.isNew}`);
  }
}

function assertCountersFit(town: Town): void {
  const entries = [...town.director.connections()];
  for (const view of town.destinations()) {
    const mine = entries.filter((entry) => entry.destinationHandle === view.handle);
    const connections = mine.filter((entry) => !entry.isTemplate);
    const inactive = connections.filter((entry) => (entry.flags & 0x100) !== 0).length;
    const templates = mine.length - connections.length;
    assert.deepEqual(counts(view), [connections.length - inactive, inactive, templates], `${view.address}`);
  }
  const hanging = entries.filter((entry) => entry.isTemplate).reduce((sum, entry) => sum + entry.controls, 0);
  assert.ok(hanging <= town.director.connectionCount);
}

Deno.test("director: counters always fit the entries, and all are zero after the last one expired", () => {
  fc.assert(
    fc.property(script, ({ steps, ...options }: Script) => {
      const town = new Town({ ...options, shared: false });
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
      const town = new Town({ ...options, shared: false, persistent: false });
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
        const town = new Town({ ...options, shared });
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
