/** One engine with one open UDP service, real servers behind it and an ear on its events. */
import { type Clock, SystemClock } from "../../../clock.ts";
import type { Director } from "../../../director/director.ts";
import type { TrafficEntrance } from "../../../director/verdict.ts";
import type { BindingOptions, Engine, EngineEvents, OpenBinding } from "../../../engines/engine.ts";
import type { DescriptorCount } from "../../../engines/portable/descriptors.ts";
import type { Endpoint } from "../../../net/endpoint.ts";
import { endpointOf, HeardEvents } from "./heard_events.ts";
import { EchoServer } from "./udp_peers.ts";
import type { TestTraffic, TrafficWish } from "./udp_traffic.ts";
import { TEST_MS, within } from "./waits.ts";

/** What an engine is made from. */
export interface EngineParts {
  readonly traffic: TrafficEntrance;
  /** The same as a whole, for engines whose threads have directors of their own on its store. */
  readonly director: Director | undefined;
  readonly events: EngineEvents;
  readonly clock: Clock;
  isOwnListener(protocol: "tcp" | "udp", target: Endpoint): boolean;
}

/** An engine that takes part; it also hears of entries that expire. */
export interface UdpEngine extends Engine {
  entryExpired(entry: number): void;
}

/** A member of the family, and what it is able to do. */
export interface UdpFamilyMember {
  readonly name: string;
  /** @param descriptors what it is to believe of the process's file descriptors */
  readonly makeEngine: (parts: EngineParts, descriptors?: DescriptorCount) => UdpEngine;
  readonly makeTraffic: (wish: TrafficWish) => TestTraffic;
  /** Connected sockets: the kernel tells of a server's closed port. */
  readonly reportsClosedPorts: boolean;
  /** Threads besides this one that decide; 0 unless said otherwise. */
  readonly workers?: number;
  /** What it needs besides the network. */
  readonly permissions?: Deno.PermissionOptionsObject;
  /** Resolves when its threads have heard all that was told to it. */
  readonly passed?: (engine: UdpEngine) => Promise<void>;
  /** Moves the directors of its threads. */
  readonly advance?: (engine: UdpEngine, timesMs: readonly number[]) => Promise<void>;
}

/** Defines tests of a member; sockets, timers and pending calls left behind fail them. */
export function testOf(
  member: UdpFamilyMember,
  limits: { permissions?: Deno.PermissionOptionsObject } = {},
): (what: string, fn: () => void | Promise<void>) => void {
  return (what, fn) =>
    Deno.test({
      name: `udp ${member.name}: ${what}`,
      fn: () => within("the end of the test", TEST_MS, Promise.resolve(fn())),
      sanitizeOps: true,
      sanitizeResources: true,
      ...(limits.permissions && { permissions: { ...limits.permissions, ...member.permissions } }),
    });
}

export const PLAIN: BindingOptions = {
  connectTimeoutMs: 1_000,
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
  /** Whether the engine is told of entries that expire; true unless said otherwise. */
  readonly hearsOfExpiry?: boolean;
  readonly isOwnListener?: EngineParts["isOwnListener"];
  readonly descriptors?: DescriptorCount;
}

/** Made by {@linkcode openSetting}, and closed at the end of its block. */
export class UdpSetting implements AsyncDisposable {
  readonly engine: UdpEngine;
  readonly traffic: TestTraffic;
  readonly events: HeardEvents;
  readonly open: OpenBinding;
  readonly #member: UdpFamilyMember;
  readonly #servers: EchoServer[] = [];

  constructor(
    member: UdpFamilyMember,
    { engine, traffic, events }: { engine: UdpEngine; traffic: TestTraffic; events: HeardEvents },
    open: OpenBinding,
  ) {
    this.#member = member;
    this.engine = engine;
    this.traffic = traffic;
    this.events = events;
    this.open = open;
  }

  /** Where clients send to: a wildcard is reached by the loopback address of its family. */
  get to(): { hostname: string; port: number } {
    const { address, port } = this.open.bound;
    const loopback = address.family === 6 ? "::1" : "127.0.0.1";
    return { hostname: address.isUnspecified ? loopback : `${address}`, port };
  }

  /** A real server that is a destination. */
  addServer(name = "", hostname = "127.0.0.1"): { server: EchoServer; destination: number } {
    const server = new EchoServer(name, hostname);
    this.#servers.push(server);
    return { server, destination: this.traffic.addDestination(server.hostname, server.port) };
  }

  /** The destination leaves, in the order in which the daemon does it. */
  async removeDestination(destination: number): Promise<void> {
    this.traffic.removeDestination(destination);
    this.engine.destinationRemoved(destination, false);
    await this.passed();
  }

  /** New options; resolves when they hold. */
  async update(options: BindingOptions): Promise<void> {
    this.open.update(options);
    await this.passed();
  }

  /** Resolves when the engine has done all that was asked of it. */
  async passed(): Promise<void> {
    await this.#member.passed?.(this.engine);
  }

  /** Time comes to `nowMs`, for every director. */
  async advance(nowMs: number): Promise<void> {
    this.traffic.advance(nowMs);
    await this.#member.advance?.(this.engine, [nowMs]);
  }

  /** Resolves when so many sessions live. */
  async untilLive(sessions: number): Promise<void> {
    const { events, engine } = this;
    await events.until(`${sessions} live sessions`, () => engine.liveConnections() === sessions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.stop();
    for (const server of this.#servers) await server[Symbol.asyncDispose]();
  }
}

export async function openSetting(member: UdpFamilyMember, wish: SettingOptions = {}): Promise<UdpSetting> {
  const events = new HeardEvents();
  const options: BindingOptions = { ...PLAIN, ...wish.options };
  const traffic = member.makeTraffic({
    onePacket: options.onePacket,
    workers: member.workers ?? 0,
    expired: (entry) => {
      if (wish.hearsOfExpiry ?? true) engine.entryExpired(entry);
    },
  });
  const engine = member.makeEngine({
    traffic: traffic.entrance,
    director: traffic.director,
    events,
    clock: wish.clock ?? new SystemClock(),
    isOwnListener: wish.isOwnListener ?? (() => false),
  }, wish.descriptors);
  const listen = endpointOf(wish.listen ?? "127.0.0.1:0");
  const service = traffic.service;
  const open = await engine.open({ service, name: "dns", protocol: "udp", listen, options });
  return new UdpSetting(member, { engine, traffic, events }, open);
}
