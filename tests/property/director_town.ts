/**
 * Clients, servers and an administrator, who do anything in any order to one director.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Director } from "../../director/director.ts";
import { Store } from "../../director/store.ts";
import { ACTION, type Verdict } from "../../director/verdict.ts";
import type { DestinationView } from "../../director/views.ts";
import type { Flow } from "../../net/flow.ts";
import type { Scheduler } from "../../schedulers/scheduler.ts";
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
    | "defence"
    | "icmp"
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
    "defence",
    "icmp",
    "wait",
  ),
  who: fc.nat({ max: 1_000 }),
  n: fc.nat({ max: 1_000 }),
});
export const script = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 120 }),
  persistent: fc.boolean(),
  onePacket: fc.boolean(),
});
export type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

const FLAGS = [SYN, SYN | ACK, ACK, ACK, FIN | ACK, RST, 0];
const SWITCHES = [
  "expire_nodest_conn",
  "expire_quiescent_template",
  "sloppy_tcp",
  "conn_reuse_mode",
  "schedule_icmp",
  "nat_icmp_send",
  "cache_bypass",
] as const;
/** Four levels: off, automatic, automatic and active, always. */
const DEFENCES = ["drop_entry", "drop_packet", "secure_tcp"] as const;
const WAITS_MS = [1, 40, 2_000, 11_000, 61_000, 125_000, 301_000, 1_000_000];

export interface TownOptions {
  readonly shared: boolean;
  readonly persistent: boolean;
  readonly onePacket: boolean;
  readonly scheduler: Scheduler;
  /** Services of marks, and a virtual address for each client. */
  readonly marked: boolean;
}

/** Room for two services of the scheduler with the largest memory. */
const CAPACITIES = { services: 16, destinations: 64, persistenceTemplates: 64, schedulerCells: 2 ** 20 };

/** A small town of clients and servers that lives through a script. */
export class Town {
  readonly director: Director;
  readonly log: string[] = [];
  nowMs = 0;
  readonly #services: number[];
  readonly #flows: Flow[];

  constructor(options: TownOptions) {
    const { shared, scheduler, marked } = options;
    this.director = makeDirector({
      store: Store.create({ shared, capacities: CAPACITIES }),
      findScheduler: (name) => name === scheduler.name ? scheduler : undefined,
      connectionEntries: 8,
      isBypassed: () => marked,
    });
    const persistence = options.persistent ? { persistence: { timeoutMs: 20_000, prefixLength: 30 } } : {};
    const more = { ...persistence, scheduler: scheduler.name };
    const udpMore = { ...more, onePacket: options.onePacket };
    this.#services = [
      marked
        ? { ...tcpService(undefined, more), key: { mark: 1, family: 4 } as const }
        : tcpService(undefined, more),
      marked
        ? { ...udpService(undefined, udpMore), key: { mark: 2, family: 4 } as const }
        : udpService(undefined, udpMore),
    ].map((spec) => this.director.addService(spec, 0));
    for (const service of this.#services) {
      for (let server = 1; server <= SERVERS; server++) this.#add(service, server, 1);
    }
    this.#flows = Array.from({ length: CLIENTS }, (_, i) => {
      const client = `192.0.2.${1 + (i % 6)}:${1_000 + i}`;
      // Under a mark there are as many virtual addresses as clients.
      const flow = i % 3 === 0
        ? udp(client, `10.99.0.${marked ? i + 1 : 1}:53`)
        : tcp(client, `10.99.0.${marked ? i + 1 : 1}:80`);
      if (marked) flow.mark = i % 3 === 0 ? 2 : 1;
      return flow;
    });
  }

  live({ kind, who, n }: Step): void {
    const flow = this.#flows[who % CLIENTS] ?? tcp("192.0.2.1:1");
    const flags = FLAGS[n % FLAGS.length] ?? SYN;
    if (kind === "client") this.#note(from(this.director, flow, flags, this.nowMs));
    else if (kind === "server") this.#note(back(this.director, flow, flags, this.nowMs));
    else if (kind === "forget") this.director.forget(flow, this.nowMs);
    else if (kind === "retry") this.#retry(flow);
    else if (kind === "icmp") this.#note(this.director.related(flow, n % 2 === 0 ? 0 : 1, 576, this.nowMs));
    else if (kind === "defence") this.director.sysctl[DEFENCES[who % 3] ?? "secure_tcp"] = n % 4;
    else if (kind === "wait") this.wait(WAITS_MS[n % WAITS_MS.length] ?? 1);
    else if (kind === "sysctl") this.director.sysctl[SWITCHES[who % SWITCHES.length] ?? "sloppy_tcp"] = n % 2;
    else this.#administer(kind, who, n);
  }

  wait(ms: number): void {
    this.nowMs += ms;
    this.director.advance(this.nowMs);
  }

  destinations(): DestinationView[] {
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

/** Active, inactive and persistent connections are those in the tables, so never negative. */
export function assertCountersFit(town: Town): void {
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
