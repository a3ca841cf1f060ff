/** One engine with one open TCP service, the real director behind it and an ear on its events. */
import { type Clock, SystemClock } from "../../../clock.ts";
import { Director } from "../../../director/director.ts";
import { Store } from "../../../director/store.ts";
import type { TrafficEntrance } from "../../../director/verdict.ts";
import type { BindingOptions, Engine, EngineEvents, OpenBinding } from "../../../engines/engine.ts";
import { IpAddress } from "../../../net/address.ts";
import type { Endpoint } from "../../../net/endpoint.ts";
import { PROTOCOL } from "../../../net/flow.ts";
import { SeededRandom } from "../../../net/random.ts";
import { findScheduler } from "../../../schedulers/registry.ts";
import { endpointOf, HeardEvents } from "./heard_events.ts";
import { connectPeer, type Peer, PeerServer } from "./tcp_peers.ts";
import { TEST_MS, within } from "./waits.ts";

/** What an engine is made from. */
export interface EngineParts {
  readonly traffic: TrafficEntrance;
  /** The same as a whole, for engines whose threads have directors of their own on its store. */
  readonly director: Director;
  readonly events: EngineEvents;
  readonly clock: Clock;
  isOwnListener(protocol: "tcp" | "udp", target: Endpoint): boolean;
}

/** An engine that takes part. */
export interface TcpFamilyMember {
  readonly name: string;
  readonly makeEngine: (parts: EngineParts) => Engine;
  /** Threads besides this one that decide; 0 unless said otherwise. */
  readonly workers?: number;
  /** It counts packets. */
  readonly seesPackets?: boolean;
  /** Moves the directors of those threads. */
  readonly advance?: (engine: Engine, timesMs: readonly number[]) => Promise<void>;
  /** Module that exports this as `member`, for tests that need a process of its own. */
  readonly module: string;
}

/** Defines tests of a member; sockets, timers and pending calls left behind fail them. */
export function testOf(
  member: TcpFamilyMember,
): (what: string, fn: () => void | Promise<void>, ignore?: boolean) => void {
  return (what, fn, ignore = false) =>
    Deno.test({
      name: `tcp ${member.name}: ${what}`,
      fn: () => within("the end of the test", TEST_MS, Promise.resolve(fn())),
      ignore,
      sanitizeOps: true,
      sanitizeResources: true,
    });
}

/** A test that is random: its seed stands in the error, and `LVSD_SEED` repeats it. */
export function seeded(
  test: ReturnType<typeof testOf>,
  what: string,
  fn: (seed: number) => Promise<void>,
): void {
  test(what, async () => {
    const seed = Number(Deno.env.get("LVSD_SEED") ?? Math.floor(Math.random() * 1e6));
    try {
      await fn(seed);
    } catch (error) {
      throw new Error(`failed with LVSD_SEED=${seed}`, { cause: error });
    }
  });
}

/** Runs at full size under `deno task proof`. */
export const IS_PROOF = Deno.env.get("LVSD_PROOF") === "1";

export const PLAIN: BindingOptions = {
  connectTimeoutMs: 2_000,
  retries: 0,
  sendProxy: "none",
  acceptProxyFrom: [],
  onePacket: false,
  maxSessions: 1_000,
};

export interface SettingOptions {
  readonly listen?: string;
  readonly clock?: Clock;
  readonly options?: Partial<BindingOptions>;
  readonly isOwnListener?: (protocol: "tcp" | "udp", target: Endpoint) => boolean;
  /** Connection entries that the director has room for. */
  readonly entries?: number;
}

/** Made by {@linkcode openSetting}, and closed at the end of its block. */
export class TcpSetting implements AsyncDisposable {
  readonly engine: Engine;
  readonly director: Director;
  readonly service: number;
  readonly events: HeardEvents;
  readonly open: OpenBinding;
  readonly clock: Clock;
  readonly #member: TcpFamilyMember;
  readonly #servers: PeerServer[] = [];
  readonly #clients: Peer[] = [];

  constructor(
    member: TcpFamilyMember,
    parts: { engine: Engine; director: Director; events: HeardEvents; clock: Clock },
    open: OpenBinding,
  ) {
    this.#member = member;
    this.engine = parts.engine;
    this.director = parts.director;
    this.events = parts.events;
    this.clock = parts.clock;
    this.open = open;
    this.service = open.binding.service;
  }

  /** Where clients connect to: a wildcard is reached by the loopback address of its family. */
  get to(): { hostname: string; port: number } {
    const { address, port } = this.open.bound;
    const loopback = address.family === 6 ? "::1" : "127.0.0.1";
    return { hostname: address.isUnspecified ? loopback : `${address}`, port };
  }

  /** A destination that somebody else serves, or nobody. */
  addDestination(hostname: string, port: number, weight = 1): number {
    const address = IpAddress.parse(hostname);
    const spec = { address, port, method: "nat", weight, allowMixedFamilies: true } as const;
    return this.director.addDestination(this.service, spec, this.clock.nowMs());
  }

  /** A real server that is a destination. */
  async addServer(hostname = "127.0.0.1"): Promise<{ server: PeerServer; destination: number }> {
    const server = await PeerServer.listen(hostname);
    this.#servers.push(server);
    return { server, destination: this.addDestination(hostname, server.port) };
  }

  async connect(hostname = this.to.hostname, localPort?: number): Promise<Peer> {
    const client = await connectPeer(hostname, this.to.port, localPort);
    this.#clients.push(client);
    return client;
  }

  /** A client, and the real server's end of its connection. */
  async pair(server: PeerServer): Promise<{ client: Peer; served: Peer }> {
    const client = await this.connect();
    return { client, served: await server.next() };
  }

  /** Moves the director far enough that every entry of an ended connection has expired. */
  expireAll(): void | Promise<void> {
    const nowMs = this.clock.nowMs();
    // Entries expire in the order of their time-outs, 900 s is the longest of them; the trash is scanned each 60 s.
    const timesMs = Array.from({ length: 20 }, (_, i) => nowMs + (i + 1) * 60_000);
    for (const timeMs of timesMs) this.director.advance(timeMs);
    return this.#member.advance?.(this.engine, timesMs);
  }

  /** Closes an idle engine's sockets, the peers' too. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const it of this.#clients) it.destroy();
    await this.engine.stop();
    for (const server of this.#servers) await server.close();
    for (const it of this.#clients) await it.closed;
  }
}

export async function openSetting(member: TcpFamilyMember, wish: SettingOptions = {}): Promise<TcpSetting> {
  const events = new HeardEvents();
  const clock = wish.clock ?? new SystemClock();
  const director = new Director({
    store: Store.create({
      shared: member.workers !== undefined,
      capacities: { services: 4, destinations: 16, workers: 1 + (member.workers ?? 0) },
    }),
    random: new SeededRandom(1),
    findScheduler,
    onExpire: (entry) => engine.entryExpired(entry),
  });
  const listen = endpointOf(wish.listen ?? "127.0.0.1:0");
  const address = listen.address.family === 6 ? "2001:db8::1" : "192.0.2.1";
  const key = { protocol: PROTOCOL.tcp, address: IpAddress.parse(address), port: 80 };
  const service = director.addService({ key, scheduler: "rr" }, 0);
  const engine = member.makeEngine({
    traffic: director,
    director,
    events,
    clock,
    isOwnListener: wish.isOwnListener ?? (() => false),
  });
  const open = await engine.open({
    service,
    name: "web",
    protocol: "tcp",
    listen,
    options: { ...PLAIN, ...wish.options },
  });
  return new TcpSetting(member, { engine, director, events, clock }, open);
}
