/**
 * From what stands in the file to the configuration that the daemon works with: defaults that hang on other keys.
 *
 * @module
 */
import { KERNEL_SYSCTL_NAMES, sysctlDefault } from "../director/sysctl_text.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { WrittenDestination } from "./destination_schema.ts";
import type { WrittenCheck } from "./health_schema.ts";
import { defined } from "./defined.ts";
import { defaultServiceName, destinationIdentity } from "./identity.ts";
import type {
  AdminConfig,
  Config,
  DestinationConfig,
  HealthCheckConfig,
  IpvsConfig,
  PacketConfig,
  PersistenceConfig,
  ServiceConfig,
} from "./model.ts";
import type { WrittenPacket } from "./packet_schema.ts";
import { flagBits } from "./scheduler_flags.ts";
import { buildRules } from "./rule_build.ts";
import type { WrittenConfig } from "./schema.ts";
import { withPort } from "./service_rules.ts";
import type { WrittenService } from "./service_schema.ts";
import { buildTcpOptions } from "./tcp_build.ts";

/** Interval while a change is being confirmed, unless the normal one is shorter still. */
const FAST_INTERVAL_MS = 500;

/** The check of a TCP service that says nothing about one. */
const DEFAULT_TCP_CHECK: HealthCheckConfig = {
  type: "tcp",
  intervalMs: 2_000,
  fastIntervalMs: FAST_INTERVAL_MS,
  downIntervalMs: 2_000,
  timeoutMs: 1_000,
  rise: 2,
  fall: 3,
  initialState: "up",
};

/** @param file where it came from, `""` for none */
export function buildConfig(written: WrittenConfig, file: string): Config {
  const { log, timeouts, drain, ipvs } = written;
  return {
    file,
    admin: buildAdmin(written.admin),
    log,
    timeouts: { tcpMs: timeouts.tcp, tcpFinMs: timeouts.tcpFin, udpMs: timeouts.udp },
    drain: { deadlineMs: drain.deadline, spreadMs: drain.spread },
    ipvs: changedSwitches(ipvs),
    workers: written.workers,
    ...(written.packet === undefined ? {} : { packet: buildPacket(written.packet) }),
    rules: buildRules(written.rules, written.services),
    services: written.services.map(buildService),
  };
}

function buildPacket({ interfaces, routes, priority }: WrittenPacket): PacketConfig {
  return { interfaces, routes: routes.map(({ to, via }) => ({ to: to.toString(), via })), priority };
}

function changedSwitches(written: WrittenConfig["ipvs"]): IpvsConfig {
  const changed = KERNEL_SYSCTL_NAMES.filter((name) => written[name] !== sysctlDefault(name));
  return Object.fromEntries(changed.map((name) => [name, written[name]]));
}

function buildAdmin({ listen, token, socket }: WrittenConfig["admin"]): AdminConfig {
  return defined({
    listen: listen === "off" ? undefined : listen,
    token,
    socket: socket === "off" ? false as const : socket,
  });
}

function buildService(written: WrittenService): ServiceConfig {
  const { protocol, persistence, passive, sorryServer, flags, destinations } = written;
  const { all, address, port } = written.listen;
  const listen = { address, port };
  const mark = written.mark === undefined ? undefined : { value: written.mark, listens: all };
  // Behind a mark a server without a port keeps the port of the packet.
  const ownPort = mark === undefined ? port : 0;
  const { scheduler, mode, onePacket, retries, clientAddress, acceptProxyFrom, maxSessions } = written;
  return defined({
    name: written.name ?? defaultServiceName({ protocol, listen, mark }),
    protocol,
    listen,
    mark,
    scheduler,
    schedulerFlags: flagBits(flags),
    mode,
    require: written.require,
    persistence: persistence === undefined ? undefined : buildPersistence(persistence, listen),
    onePacket,
    engine: impliedEngine(written),
    connectTimeoutMs: written.connectTimeout,
    idleTimeoutMs: written.idleTimeout,
    retries,
    clientAddress,
    acceptProxyFrom,
    maxConnections: written.maxConnections,
    whenFull: written.whenFull,
    queueTimeoutMs: written.queueTimeout,
    maxSessions,
    tcp: written.tcp === undefined ? undefined : buildTcpOptions(written.tcp),
    onDown: written.onDown,
    whenAllDown: written.whenAllDown,
    sorryServer: sorryServer === undefined ? undefined : withPort(sorryServer, ownPort).endpoint,
    healthCheck: serviceCheck(written),
    passive: passive === "off"
      ? undefined
      : { failures: passive.failures, ejectMs: passive.eject, maxEjectedPercent: passive.maxEjectedPercent },
    destinations: destinations.map((it) => buildDestination(it, ownPort)),
  });
}

/** Destinations that are reached in a way of their own need the engine that knows it. */
function impliedEngine({ destinations, engine }: WrittenService): ServiceConfig["engine"] {
  if (destinations.some((it) => it.handOver !== undefined)) return "hand-over";
  return destinations.some((it) => it.tunnelTo !== undefined) ? "tunnel" : engine;
}

function serviceCheck({ healthCheck, protocol }: WrittenService): HealthCheckConfig | undefined {
  if (healthCheck === undefined) return protocol === "tcp" ? DEFAULT_TCP_CHECK : undefined;
  return healthCheck === "off" ? undefined : buildCheck(healthCheck);
}

function buildPersistence(
  { timeout, netmask, engine }: NonNullable<WrittenService["persistence"]>,
  { address }: Endpoint,
): PersistenceConfig {
  const prefixLength = netmask?.prefixLength ?? (address.family === 4 ? 32 : 128);
  return defined({ timeoutMs: timeout, prefixLength, engine });
}

function buildDestination(written: WrittenDestination, ownPort: number): DestinationConfig {
  const { name, address, weight, upperThreshold, lowerThreshold, handOver, tunnelTo, healthCheck } = written;
  const { endpoint } = withPort(address, ownPort);
  return defined({
    name: name ?? destinationIdentity({ endpoint }),
    endpoint,
    weight,
    upperThreshold,
    lowerThreshold,
    handOver,
    tunnelTo,
    healthCheck: healthCheck === undefined
      ? undefined
      : healthCheck === "off"
      ? false as const
      : buildCheck(healthCheck),
  });
}

function buildCheck(written: WrittenCheck): HealthCheckConfig {
  const { interval, fastInterval, downInterval, timeout, ...rest } = written;
  const timing = {
    intervalMs: interval,
    fastIntervalMs: fastInterval ?? Math.min(interval, FAST_INTERVAL_MS),
    downIntervalMs: downInterval ?? interval,
    timeoutMs: timeout,
  };
  // `verify` and `serverName` mean nothing without TLS, but the model has one shape for http and https.
  const tls = rest.type === "http" ? { verify: false } : {};
  return defined({ ...tls, ...rest, ...timing }) as HealthCheckConfig;
}
