/**
 * One virtual service at run time: its place in the director, its listener, its destinations and their health.
 *
 * @module
 */
import type { DestinationConfig, HealthCheckConfig, ServiceConfig } from "../config/model.ts";
import { serviceIdentity } from "../config/plan.ts";
import { serviceSpecification } from "../config/specification.ts";
import type { Binding, BindingOptions, NotInForce } from "../engines/engine.ts";
import type { Check } from "../healthcheck/check.ts";
import { makeCheck } from "../healthcheck/make_check.ts";
import type { HealthChange, Watch } from "../healthcheck/monitor.ts";
import { PacketPathCheck } from "../healthcheck/packet_path.ts";
import { TunnelPathCheck } from "../healthcheck/tunnel_path.ts";
import { type Endpoint, formatEndpoint, isNamed } from "../net/endpoint.ts";
import type { Assembly } from "./assembly.ts";
import { Complaints } from "./complaints.ts";
import { ListenerGroup } from "./listener_group.ts";
import { Member } from "./member.ts";
import { settingsNotInForce } from "./not_in_force.ts";
import { decidePool } from "./pool.ts";

/** One virtual service. Every change of what is known or configured ends in `settle()`. */
export class VirtualService {
  readonly key: string;
  readonly handle: number;
  readonly listener: ListenerGroup;
  readonly #around: Assembly;
  readonly #ends = new Map<Member, () => void>();
  #config: ServiceConfig;
  #members: Member[] = [];
  #sorry: Member | undefined;
  #liveCount = 0;
  /** What the log has said of settings that do nothing. */
  #toldNotInForce: ReadonlyMap<string, string> = new Map();

  constructor(config: ServiceConfig, around: Assembly) {
    this.key = serviceIdentity(config);
    this.#config = config;
    this.#around = around;
    this.handle = around.director.addService(serviceSpecification(config), around.clock.nowMs());
    const { engine, clock, logger } = around;
    this.listener = new ListenerGroup(
      { engine, clock, logger, changed: () => this.#listenerChanged() },
      bindingOf(config, this.handle),
      listensOf(config),
    );
    try {
      this.#configure(config);
    } catch (error) {
      // A destination was refused: nobody would ever remove what nobody has.
      this.remove();
      throw error;
    }
  }

  get config(): ServiceConfig {
    return this.#config;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** The server of last resort, while one is configured; `handle` tells whether it is in use. */
  get sorryServer(): Member | undefined {
    return this.#sorry;
  }

  /** Destinations that may get new connections by their own merit. */
  get liveCount(): number {
    return this.#liveCount;
  }

  /** Settings that do nothing here. */
  get notInForce(): readonly NotInForce[] {
    const { engine } = this.#around.engines.choiceFor(this.#config);
    return settingsNotInForce(this.#config, engine.name, this.listener.notInForce);
  }

  healthId(member: Member): string {
    return `${this.key} ${member.key}`;
  }

  /**
   * Takes over a new configuration of the same service, but for its listeners' addresses; what did not change keeps
   * everything it has.
   */
  update(config: ServiceConfig): void {
    const { director, clock } = this.#around;
    const before = this.#config;
    // First, for it may refuse.
    if (JSON.stringify(serviceSpecification(before)) !== JSON.stringify(serviceSpecification(config))) {
      director.editService(this.handle, serviceSpecification(config), clock.nowMs());
    }
    this.#config = config;
    this.listener.update(optionsOf(config));
    if (this.listener.state === "listening") this.#tellNotInForce();
    this.#configure(config);
    this.#restoreOrder();
  }

  /** Closes the listeners that the configuration no longer has; its new ones open with `listener.open()`. */
  closeOldListeners(): Promise<void> {
    return this.listener.setAddresses(listensOf(this.#config));
  }

  /** Makes the director hold what configuration, health, names and loops say now. */
  settle(): void {
    const { director, clock, ownListeners, healthIds } = this.#around;
    const { mode, protocol, onDown, whenAllDown } = this.#config;
    const taken = new Set<string>();
    for (const member of this.#everyone()) {
      if (member.endpoint === undefined) continue;
      const address = formatEndpoint(member.endpoint);
      member.loop = ownListeners.includes(protocol, member.endpoint);
      this.#noteDuplicate(member, taken.has(address), address);
      taken.add(address);
    }
    const decision = decidePool(
      this.#members.map((it) => ({
        weight: it.config.weight,
        up: it.up,
        resolved: it.endpoint !== undefined,
        loop: it.loop,
        duplicate: it.duplicate,
      })),
      { onDown, whenAllDown, hasSorryServer: this.#sorry !== undefined },
    );
    this.#noteLiveCount(decision.liveCount, decision.sorryServerActive);
    const nowMs = clock.nowMs();
    const wishes = new Map(
      this.#members.map((it, i) => [it, decision.memberships[i] ?? { present: false, effectiveWeight: 0 }]),
    );
    if (this.#sorry !== undefined) {
      const { endpoint, loop, duplicate, config } = this.#sorry;
      const present = decision.sorryServerActive && endpoint !== undefined && !loop && !duplicate;
      wishes.set(this.#sorry, { present, effectiveWeight: config.weight });
    }
    for (const [member, wish] of wishes) this.#noteLeft(member.giveUp(director, wish, nowMs));
    for (const [member, wish] of wishes) {
      member.settle(director, this.handle, mode, wish, nowMs);
      if (member.handle >= 0) healthIds.set(member.handle, this.healthId(member));
    }
  }

  /** Stops checking and resolving, and takes the service out of the director. The listener must be closed. */
  remove(): void {
    const { director, clock } = this.#around;
    for (const member of this.#everyone()) this.#endMember(member);
    this.#members = [];
    this.#sorry = undefined;
    director.deleteService(this.handle, clock.nowMs());
  }

  /** In order of addition: the configured destinations, then the sorry server. */
  #everyone(): readonly Member[] {
    return this.#sorry === undefined ? this.#members : [...this.#members, this.#sorry];
  }

  #configure(config: ServiceConfig): void {
    const known = new Map(this.#members.map((it) => [it.key, it]));
    this.#members = config.destinations.map((destination) => {
      const key = formatEndpoint(destination.endpoint);
      const member = known.get(key) ?? this.#begin(destination);
      known.delete(key);
      member.config = destination;
      this.#watchHealth(member);
      return member;
    });
    for (const gone of known.values()) this.#endMember(gone);
    this.#configureSorry(config);
    this.settle();
  }

  #configureSorry(config: ServiceConfig): void {
    const wished = config.sorryServer;
    if (this.#sorry !== undefined && (wished === undefined || formatEndpoint(wished) !== this.#sorry.key)) {
      this.#endMember(this.#sorry);
      this.#sorry = undefined;
    }
    if (wished === undefined) return;
    this.#sorry ??= this.#begin({
      name: "sorry server",
      endpoint: wished,
      weight: 1,
      upperThreshold: 0,
      lowerThreshold: 0,
      healthCheck: false,
    });
  }

  #begin(destination: DestinationConfig): Member {
    const { resolver, clock, logger } = this.#around;
    const check = destination.healthCheck ?? this.#config.healthCheck;
    const member = new Member(destination, check ? check.initialState === "up" : true);
    const { endpoint } = destination;
    if (isNamed(endpoint)) {
      const complaints = new Complaints(clock);
      const end = resolver.follow(endpoint.host, (address, problem) => {
        member.endpoint = address === undefined ? undefined : { address, port: endpoint.port };
        const { name } = this.#config;
        const told = { service: name, host: endpoint.host, address, problem };
        if (address !== undefined) logger.info("service {service}: {host} is {address}", told);
        else if (complaints.isDue(problem)) {
          logger.error("service {service}: {host} has no address, asked again soon: {problem}", told);
        }
        if (member !== this.#sorry) this.#watchHealth(member);
        this.settle();
      });
      this.#ends.set(member, end);
    }
    return member;
  }

  #watchHealth(member: Member): void {
    const { monitor } = this.#around;
    const id = this.healthId(member);
    const options = member.config.healthCheck ?? this.#config.healthCheck;
    const passive = this.#config.passive;
    if (member.endpoint === undefined || (!options && passive === undefined)) {
      void monitor.remove(id);
      member.up = true;
      return;
    }
    const watch: Watch = {
      target: targetOf(member.endpoint, options || undefined, this.#config.listen),
      group: this.key,
      ...(options ? { active: { check: this.#checkOf(options, member.config), timing: options } } : {}),
      ...(passive === undefined ? {} : { passive }),
    };
    if (monitor.snapshot(id) === undefined) monitor.add(id, watch);
    else monitor.update(id, watch);
    member.up = monitor.snapshot(id)?.up ?? member.up;
  }

  /** A server behind a tunnel socket is checked through it, one behind packets by their path if that is wished. */
  #checkOf(options: HealthCheckConfig, destination: DestinationConfig): Check {
    const { engines, clock, random } = this.#around;
    const { tunnelTo } = destination;
    const check = makeCheck(options);
    if (tunnelTo !== undefined) return new TunnelPathCheck(check, tunnelTo, this.#config.listen);
    const pathTo = options.through === "path" ? engines.pathsOf(this.#config, destination) : undefined;
    if (pathTo === undefined) return check;
    return new PacketPathCheck({ check, pathTo, timeoutMs: options.timeoutMs, clock, random });
  }

  /** The health monitor changed its mind about one of ours. */
  healthChanged(id: string, { to, reason, detail }: HealthChange): void {
    const member = this.#members.find((it) => this.healthId(it) === id);
    if (member === undefined) return;
    const { logger } = this.#around;
    logger[to === "up" ? "info" : "warn"]("service {service}: {destination} is {state}: {reason} {detail}", {
      service: this.#config.name,
      destination: member.config.name,
      state: to,
      reason,
      detail,
    });
    member.up = to === "up";
    this.settle();
  }

  #endMember(member: Member): void {
    const { director, monitor, clock } = this.#around;
    this.#ends.get(member)?.();
    this.#ends.delete(member);
    void monitor.remove(this.healthId(member));
    this.#noteLeft(member.leave(director, clock.nowMs()));
  }

  #noteLeft(handle: number): void {
    if (handle < 0) return;
    const { healthIds, engine } = this.#around;
    healthIds.delete(handle);
    engine.destinationRemoved(handle, false);
  }

  #noteDuplicate(member: Member, duplicate: boolean, address: string): void {
    if (duplicate && !member.duplicate) {
      this.#around.logger.warn(
        "service {service}: {destination} is {address}, as another destination is; it gets no traffic of its own",
        { service: this.#config.name, destination: member.config.name, address },
      );
    }
    member.duplicate = duplicate;
  }

  /** After a reload the order is what a fresh start would give: file order is order of addition, the last added stands first. */
  #restoreOrder(): void {
    const { director, clock } = this.#around;
    const held = this.#everyone().filter((it) => it.handle >= 0).map((it) => it.handle).reverse();
    const current = director.destinationViews(this.handle).map((it) => it.handle);
    if (held.some((handle, i) => handle !== current[i])) {
      director.orderDestinations(this.handle, held, clock.nowMs());
    }
  }

  #noteLiveCount(liveCount: number, sorryServerActive: boolean): void {
    const { logger } = this.#around;
    if (liveCount === 0 && this.#liveCount > 0) {
      logger.error("service {service} has no live server: {consequence}", {
        service: this.#config.name,
        consequence: sorryServerActive
          ? "the sorry server takes over"
          : this.#config.whenAllDown === "use-all"
          ? "all are used as if they were up"
          : "new connections are refused",
      });
    }
    this.#liveCount = liveCount;
  }

  #listenerChanged(): void {
    const { ownListeners, listenersChanged } = this.#around;
    ownListeners.set(this.key, this.#config.protocol, this.listener.bound);
    listenersChanged();
    if (this.listener.state === "listening") this.#tellNotInForce();
  }

  #tellNotInForce(): void {
    const told = new Map(this.notInForce.map(({ setting, reason }) => [setting, reason]));
    for (const [setting, reason] of told) {
      if (this.#toldNotInForce.get(setting) === reason) continue;
      const { name } = this.#config;
      this.#around.logger.warn("service {service}: {setting} is not in force: {reason}", {
        service: name,
        setting,
        reason,
      });
    }
    this.#toldNotInForce = told;
  }
}

/** Behind a mark a server without a port is asked at the port of the first listener. */
function targetOf(endpoint: Endpoint, options: HealthCheckConfig | undefined, listen: Endpoint): Endpoint {
  return { address: endpoint.address, port: options?.port ?? (endpoint.port || listen.port) };
}

/** A service by address has one listener, one by mark as many as were written. */
function listensOf({ listen, mark }: ServiceConfig): readonly Endpoint[] {
  return mark?.listens ?? [listen];
}

function bindingOf(config: ServiceConfig, service: number): Binding {
  const { name, protocol, listen } = config;
  return { service, name, protocol, listen, options: optionsOf(config) };
}

/** The PROXY header that a way of telling the client's address needs. */
const PROXY_VERSIONS = { "none": "none", "transparent": "none", "proxy-v1": "v1", "proxy-v2": "v2" } as const;

function optionsOf(config: ServiceConfig): BindingOptions {
  return {
    connectTimeoutMs: config.connectTimeoutMs,
    retries: config.retries,
    sendProxy: PROXY_VERSIONS[config.clientAddress],
    isTransparent: config.clientAddress === "transparent",
    acceptProxyFrom: config.acceptProxyFrom,
    onePacket: config.onePacket,
    maxSessions: config.maxSessions,
    engine: config.engine,
    mode: config.mode,
    ...(config.engine === "tunnel" ? { tunnels: tunnelsOf(config) } : {}),
    ...(config.engine === "hand-over" ? { handOver: receiversOf(config) } : {}),
    ...(config.tcp === undefined ? {} : { tcp: config.tcp }),
    ...(config.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: config.idleTimeoutMs }),
    ...(config.maxConnections === undefined ? {} : { maxConnections: config.maxConnections }),
    whenFull: config.whenFull,
    queueTimeoutMs: config.queueTimeoutMs,
  };
}

/** Where each destination's receiver listens. */
function receiversOf({ destinations }: ServiceConfig): ReadonlyMap<string, string> {
  return new Map(
    destinations.flatMap(({ endpoint, handOver }) =>
      handOver === undefined ? [] : [[formatEndpoint(endpoint), handOver] as const]
    ),
  );
}

/** Where each destination's tunnel leads. */
function tunnelsOf({ destinations }: ServiceConfig): NonNullable<BindingOptions["tunnels"]> {
  return new Map(
    destinations.flatMap(({ endpoint, tunnelTo }) =>
      tunnelTo === undefined ? [] : [[formatEndpoint(endpoint), tunnelTo] as const]
    ),
  );
}
