/**
 * The state of everything as plain JSON, gathered when somebody asks.
 *
 * @module
 */
import type {
  Counters,
  DestinationState,
  DestinationStatus,
  HealthStatus,
  Readiness,
  ServiceStatus,
  Status,
} from "../admin/source.ts";
import type { Config } from "../config/model.ts";
import type { Counters as Statistics } from "../director/statistics.ts";
import { LIMITS } from "../limits.ts";
import type { HealthSnapshot } from "../healthcheck/monitor.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { SCHEDULER_FLAG } from "../schedulers/scheduler.ts";
import type { Assembly } from "./assembly.ts";
import { emulationOf } from "./emulation.ts";
import type { Member } from "./member.ts";
import type { LastReload } from "./reloader.ts";
import type { VirtualService } from "./virtual_service.ts";

/** Engines that see the packets of a stream, or can ask the kernel about them. */
const PACKETS_SEEN: ReadonlySet<string> = new Set(["native", "packet"]);

/** Everything a report is made from. */
export interface ReportFacts {
  readonly assembly: Assembly;
  readonly services: readonly VirtualService[];
  readonly config: Config;
  readonly generation: number;
  readonly lastReload: LastReload | undefined;
  readonly draining: boolean;
  readonly version: string;
  readonly nowMs: number;
  readonly wallMs: number;
  readonly startedMs: number;
  readonly startedWallMs: number;
  readonly logDropped: number;
  readonly unserved: Status["unserved"];
}

/** `/status`. */
export function statusOf(facts: ReportFacts): Status {
  const { assembly, config, lastReload } = facts;
  const { director } = assembly;
  const memory = Deno.memoryUsage();
  return {
    version: facts.version,
    pid: Deno.pid,
    startedWall: isoTime(facts.startedWallMs),
    uptimeSeconds: (facts.nowMs - facts.startedMs) / 1_000,
    configFile: config.file,
    configGeneration: facts.generation,
    lastReload: lastReload === undefined
      ? null
      : { atWall: isoTime(lastReload.atWallMs), ok: lastReload.ok, message: lastReload.message },
    draining: facts.draining,
    engine: engineStatus(assembly),
    workers: assembly.engines.workerLoads,
    timeouts: {
      tcpSeconds: director.timeouts.tcpMs / 1_000,
      tcpFinSeconds: director.timeouts.tcpFinMs / 1_000,
      udpSeconds: director.timeouts.udpMs / 1_000,
    },
    services: facts.services.map((it) => serviceStatus(it, facts)),
    rules: assembly.rules.status(),
    drops: dropsByName({ ...director.drops, ...assembly.rules.gate.drops }),
    memory: { rssBytes: memory.rss, heapUsedBytes: memory.heapUsed },
    connectionTable: { entries: director.connectionCount, capacity: LIMITS.connectionEntries },
    logDropped: facts.logDropped,
    unserved: facts.unserved,
  };
}

/** `/readyz`: a service is ready when it listens and somebody answers for it. */
export function readinessOf(facts: ReportFacts): Readiness {
  const problems = facts.services.flatMap((service) => {
    const { name } = service.config;
    const { state, problem } = service.listener;
    if (state !== "listening") return [{ service: name, reason: `${state}: ${problem}` }];
    if (service.liveCount > 0) return [];
    return [{ service: name, reason: lacksServers(service) }];
  });
  if (facts.draining) problems.unshift({ service: "", reason: "draining: no new connections" });
  return { ready: problems.length === 0, problems };
}

function lacksServers(service: VirtualService): string {
  const { members, sorryServer, config } = service;
  if (members.length === 0) return "no destination is configured";
  const states = members.map((it) => `${it.config.name} ${stateOfMember(it, true)}`).join(", ");
  const stand = sorryServer !== undefined
    ? "; the sorry server answers"
    : config.whenAllDown === "use-all"
    ? "; all are used as if they were up"
    : "";
  return `no live server: ${states}${stand}`;
}

function serviceStatus(service: VirtualService, facts: ReportFacts): ServiceStatus {
  const { director, engine, events } = facts.assembly;
  const { config, listener, handle, sorryServer } = service;
  const choice = facts.assembly.engines.choiceFor(config);
  const counts = events.counts(handle);
  const view = director.serviceView(handle);
  const persistence = config.persistence;
  const emulation = emulationOf(
    [config.mode, ...service.members.map((it) => it.config.method)],
    choice.engine.name,
    facts.assembly.engines.packetObstacle,
  );
  return {
    name: config.name,
    protocol: config.protocol,
    listen: listener.addresses.map(formatEndpoint).join(", "),
    mark: config.mark?.value ?? null,
    state: listener.state,
    stateReason: listener.problem,
    scheduler: config.scheduler,
    flags: flagNames(config.scheduler, config.schedulerFlags),
    mode: config.mode,
    emulated: emulation !== "",
    emulatedReason: emulation,
    engine: choice.engine.name,
    engineReason: choice.reason,
    notInForce: service.notInForce,
    persistence: persistence === undefined
      ? null
      : { timeoutSeconds: persistence.timeoutMs / 1_000, prefixLength: persistence.prefixLength },
    onePacket: config.onePacket,
    liveConnections: engine.liveConnections(handle),
    counters: countersOf(view.statistics),
    packetsCounted: config.protocol === "udp" || PACKETS_SEEN.has(choice.engine.name),
    drops: Object.fromEntries(counts.drops),
    ends: Object.fromEntries(counts.ends),
    sorryServer: sorryServer === undefined
      ? null
      : { address: sorryServer.key, active: sorryServer.handle >= 0 },
    destinations: service.members.map((it) => destinationStatus(service, it, facts)),
  };
}

function engineStatus({ engines }: Assembly): Status["engine"] {
  const { engine, reason } = engines.choiceFor({});
  return { name: engine.name, reason };
}

function destinationStatus(service: VirtualService, member: Member, facts: ReportFacts): DestinationStatus {
  const { director, monitor } = facts.assembly;
  const { config, endpoint, handle } = member;
  const view = handle < 0 ? undefined : director.destinationView(handle);
  const snapshot = monitor.snapshot(service.healthId(member));
  return {
    name: config.name,
    address: endpoint === undefined ? member.key : formatEndpoint(endpoint),
    effectiveWeight: member.effectiveWeight,
    configuredWeight: config.weight,
    activeConns: view?.activeConns ?? 0,
    inactiveConns: view?.inactiveConns ?? 0,
    persistentConns: view?.persistentConns ?? 0,
    overloaded: view?.overloaded ?? false,
    upperThreshold: config.upperThreshold,
    lowerThreshold: config.lowerThreshold,
    state: stateOfMember(member, snapshot !== undefined),
    health: snapshot === undefined ? null : healthStatus(snapshot, facts),
    counters: countersOf(view?.statistics),
  };
}

/** State word of a destination. */
export function stateOfMember(member: Member, watched: boolean): DestinationState {
  if (member.endpoint === undefined) return "unresolved";
  if (member.loop) return "loop";
  if (member.duplicate) return "duplicate";
  if (!member.up) return "down";
  return watched ? "up" : "unchecked";
}

function healthStatus(snapshot: HealthSnapshot, facts: ReportFacts): HealthStatus {
  const { up, reason, detail, sinceMs, lastCheckMs, history } = snapshot;
  return {
    up,
    reason: up ? "" : reason,
    detail,
    sinceSeconds: (facts.nowMs - sinceMs) / 1_000,
    lastCheckWall: lastCheckMs === undefined ? null : isoTime(facts.wallMs - (facts.nowMs - lastCheckMs)),
    history: history.map((it) => ({
      atWall: isoTime(it.wallMs),
      up: it.to === "up",
      reason: it.reason,
      detail: it.detail,
    })),
  };
}

function countersOf(statistics: Statistics | undefined): Counters {
  const { connections = 0, inPackets = 0, outPackets = 0, inBytes = 0, outBytes = 0 } = statistics ?? {};
  return { connections, packetsIn: inPackets, packetsOut: outPackets, bytesIn: inBytes, bytesOut: outBytes };
}

/** Names of the flags as ipvsadm and keepalived write them. */
function flagNames(scheduler: string, flags: number): readonly string[] {
  const hashes = scheduler === "sh" || scheduler === "mh";
  const names: [number, string][] = [
    [SCHEDULER_FLAG.flag1, hashes ? `${scheduler}-fallback` : "flag-1"],
    [SCHEDULER_FLAG.flag2, hashes ? `${scheduler}-port` : "flag-2"],
    [SCHEDULER_FLAG.flag3, "flag-3"],
  ];
  return names.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
}

/** `DROP_REASON` counts under their names in kebab-case. */
function dropsByName(drops: Readonly<Record<string, number>>): Record<string, number> {
  const kebab = (name: string) => name.replace(/[A-Z]/g, (it) => `-${it.toLowerCase()}`);
  return Object.fromEntries(Object.entries(drops).map(([name, count]) => [kebab(name), count]));
}

function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
