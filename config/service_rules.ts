/**
 * Rules across the values of one virtual service.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { FORWARDING_METHODS } from "../modes/registry.ts";
import { destinationViolations, type ServiceDemand, serviceViolations } from "../modes/rules.ts";
import type { ServerAddress } from "./address_text.ts";
import { markFamily } from "./identity.ts";
import type { Mistake } from "./mistakes.ts";
import type { Path } from "./positions.ts";
import type { ReadableService } from "./readable.ts";
import { SCHEDULER_FLAGS } from "./scheduler_flags.ts";

/** A rule says what is wrong with a service; `at` is the service's path. */
export type ServiceRule = (service: ReadableService, at: Path) => Iterable<Mistake>;

/** All rules of one service, in the order of the keys in the reference. */
export const SERVICE_RULES: readonly ServiceRule[] = [
  listenFitsTheMark,
  flagsFitTheScheduler,
  optionsFitTheProtocol,
  persistenceFitsTheFamily,
  engineFitsTheProtocol,
  engineSetsTheOptions,
  methodAllowsTheService,
  methodAllowsTheServers,
  handOverFits,
  tunnelToFits,
  everyServerHasAPort,
  portsFitTheMark,
  checkedPathsExist,
  thresholdsAreInOrder,
  serversDiffer,
  sorryServerIsOneMore,
];

function* listenFitsTheMark({ listen, mark, written }: ReadableService, at: Path): Iterable<Mistake> {
  if (listen === undefined) return;
  if (!written.has("mark")) {
    if (listen.all.length === 1 && !listen.isList) return;
    const what = listen.isList ? "is a list" : "is off";
    yield value(
      [...at, "listen"],
      `listen ${what}, which only a service with a mark can have; write one address`,
    );
    return;
  }
  if (mark === undefined) return;
  const families = new Set(listen.all.map((it) => markFamily({ listen: it })));
  if (families.size > 1) {
    yield value(
      [...at, "listen"],
      `mark ${mark} has listeners of IPv4 and of IPv6, which are two services in IPVS; write two services`,
    );
  }
}

function* flagsFitTheScheduler({ scheduler, flags }: ReadableService, at: Path): Iterable<Mistake> {
  for (const [i, name] of (flags ?? []).entries()) {
    const owner = SCHEDULER_FLAGS[name]?.scheduler;
    if (scheduler === undefined || owner === undefined || owner === scheduler) continue;
    yield value(
      [...at, "flags", i],
      `flag "${name}" belongs to the scheduler ${owner}; this service has ${scheduler}`,
    );
  }
}

/** Keys that only one protocol has, and why. */
const PROTOCOL_KEYS: Readonly<Record<string, { protocol: "tcp" | "udp"; why: string }>> = {
  onePacket: { protocol: "udp", why: "one-packet scheduling is only for UDP services" },
  maxSessions: { protocol: "udp", why: 'maxSessions is only for UDP services; TCP has "maxConnections"' },
  maxConnections: { protocol: "tcp", why: 'maxConnections is only for TCP services; UDP has "maxSessions"' },
  whenFull: { protocol: "tcp", why: "whenFull is about maxConnections, which is only for TCP services" },
  queueTimeout: {
    protocol: "tcp",
    why: "queueTimeout is about maxConnections, which is only for TCP services",
  },
  clientAddress: {
    protocol: "tcp",
    why: "clientAddress is only for TCP services: a PROXY header begins a byte stream",
  },
  acceptProxyFrom: {
    protocol: "tcp",
    why: "acceptProxyFrom is only for TCP services: the header begins a byte stream",
  },
  tcp: { protocol: "tcp", why: "tcp has options of TCP sockets; this service is udp" },
};

function* optionsFitTheProtocol(service: ReadableService, at: Path): Iterable<Mistake> {
  for (const [key, { protocol, why }] of Object.entries(PROTOCOL_KEYS)) {
    const isWrong = service.protocol !== undefined && service.protocol !== protocol;
    if (!isWrong || !service.written.has(key) || isHarmless(service, key)) continue;
    yield { path: [...at, key], part: "key", message: why };
  }
}

/** A key that says no more than its default does no harm anywhere. */
function isHarmless({ onePacket, clientAddress, acceptProxyFrom }: ReadableService, key: string): boolean {
  return (key === "onePacket" && onePacket === false) ||
    (key === "clientAddress" && clientAddress === "none") ||
    (key === "acceptProxyFrom" && acceptProxyFrom?.length === 0);
}

function* persistenceFitsTheFamily({ listen, persistence }: ReadableService, at: Path): Iterable<Mistake> {
  const netmask = persistence?.netmask;
  if (netmask === undefined || listen === undefined) return;
  const path = [...at, "persistence", "netmask"];
  const { address } = listen;
  if (address.family === 6 && address.isUnspecified) {
    yield value(
      path,
      `netmask on ${
        formatEndpoint(listen)
      }, which IPv4 and IPv6 clients share, would mean two things; listen on ` +
        `0.0.0.0:${listen.port} (IPv4) or on one IPv6 address`,
    );
  } else if (address.family === 6 && netmask.dotted) {
    yield value(path, "netmask of an IPv6 service is a number of bits, 0 to 128; write for example 64");
  } else if (address.family === 4 && netmask.prefixLength > 32) {
    yield value(path, `netmask ${netmask.prefixLength} is not possible; an IPv4 address has 32 bits`);
  }
}

function* engineFitsTheProtocol({ protocol, persistence }: ReadableService, at: Path): Iterable<Mistake> {
  if (persistence?.engine === undefined || protocol === undefined || protocol === "udp") return;
  yield value(
    [...at, "persistence", "engine"],
    `persistence engine ${persistence.engine} reads datagrams; this service is ${protocol}, all of it would be dropped`,
  );
}

/** What can only be on an engine that is not the native one. */
function* engineSetsTheOptions(service: ReadableService, at: Path): Iterable<Mistake> {
  const { destinations, engine, written, clientAddress, mode } = service;
  const wishes = [
    ...(written.has("tcp") ? ["tcp"] : []),
    ...(clientAddress === "transparent" ? ["clientAddress"] : []),
  ];
  const why = destinations.some((it) => it.handOver !== undefined)
    ? "a service with handOver gives its sockets away"
    : destinations.some((it) => it.tunnelTo !== undefined)
    ? "a service with tunnelTo is for the portable engine, which sets no options of sockets"
    : engine === "portable" || engine === "packet"
    ? `the ${engine} engine sets no options of sockets`
    : undefined;
  if (why !== undefined) {
    for (const key of wishes) yield { path: [...at, key], part: "key", message: `${why}; take ${key} out` };
  } else if (clientAddress === "transparent" && mode !== undefined && mode !== "nat") {
    const message = `clientAddress: transparent is for mode nat; in mode ${mode} the packets have it already`;
    yield { path: [...at, "clientAddress"], part: "value", message };
  }
}

function* methodAllowsTheService(service: ReadableService, at: Path): Iterable<Mistake> {
  const demand = demandOf(service);
  if (demand === undefined || service.mode === undefined) return;
  for (const { rule, reason } of serviceViolations(FORWARDING_METHODS[service.mode], demand)) {
    const key = rule === "every-address"
      ? "listen"
      : service.written.has("clientAddress")
      ? "clientAddress"
      : "acceptProxyFrom";
    yield value([...at, key], `${key} is not possible with mode ${service.mode}: ${reason}`);
  }
}

function* methodAllowsTheServers(service: ReadableService, at: Path): Iterable<Mistake> {
  const demand = demandOf(service);
  const { mode, listen } = service;
  if (demand === undefined || mode === undefined || listen === undefined) return;
  for (const [path, server] of serversOf(service, at)) {
    const { endpoint } = withPort(server, listen.port);
    const family = "address" in endpoint ? endpoint.address.family : undefined;
    const wish = { family, port: endpoint.port };
    for (const { rule, reason } of destinationViolations(FORWARDING_METHODS[mode], demand, wish)) {
      const what = rule === "port-mapping"
        ? `port ${endpoint.port} differs from the service port ${listen.port}, and mode ${mode} has no port mapping`
        : `${formatEndpoint(endpoint)} has another IP version than the service ${formatEndpoint(listen)}`;
      yield value(path, `${what}: ${reason}`);
    }
  }
}

/** A socket that was accepted is TCP, is not translated, and goes to somebody on this host. */
function* handOverFits(service: ReadableService, at: Path): Iterable<Mistake> {
  const { destinations, mode, protocol, sorryServer, written } = service;
  const handed = destinations.filter((it) => it.handOver !== undefined);
  if (handed.length === 0) return;
  for (const [i, { handOver, address }] of destinations.entries()) {
    const path = [...at, "destinations", i];
    if (handOver === undefined) {
      yield value(path, "another destination of this service has handOver, so this one needs it too");
      continue;
    }
    const why = mode !== undefined && mode !== "dr"
      ? `handOver is for mode dr, and this service has mode ${mode}; write mode: dr`
      : protocol === "udp"
      ? "handOver is for TCP: a datagram has no socket of its own to hand over"
      : !handOver.startsWith("/")
      ? `handOver needs a path that begins with "/": ${handOver}`
      : address !== undefined && "host" in address.endpoint
      ? "a destination with handOver is on this host; write an address in place of the name"
      : undefined;
    if (why !== undefined) yield { path: [...path, "handOver"], part: "value", message: why };
  }
  if (sorryServer !== undefined) {
    yield value([...at, "sorryServer"], "a service with handOver has no sorryServer: it has no receiver");
  }
  if (written.has("engine") && service.engine !== "auto") {
    yield value([...at, "engine"], "a service with handOver has an engine of its own; take engine out");
  }
}

function* tunnelToFits(service: ReadableService, at: Path): Iterable<Mistake> {
  const { destinations, mode, sorryServer, written } = service;
  if (destinations.every((it) => it.tunnelTo === undefined)) return;
  for (const [i, { tunnelTo, address }] of destinations.entries()) {
    const path = [...at, "destinations", i];
    if (tunnelTo === undefined) {
      yield value(path, "another destination of this service has tunnelTo, so this one needs it too");
    } else if (mode !== undefined && mode !== "tun") {
      const message = `tunnelTo is for mode tun, and this service has mode ${mode}; write mode: tun`;
      yield { path: [...path, "tunnelTo"], part: "key", message };
    } else if (address !== undefined && "host" in address.endpoint) {
      yield value([...path, "address"], "a destination with tunnelTo needs an address in place of a name");
    }
  }
  if (sorryServer !== undefined) {
    yield value([...at, "sorryServer"], "a service with tunnelTo has no sorryServer: it has no tunnel");
  }
  if (written.has("engine") && service.engine !== "auto") {
    yield value([...at, "engine"], "a service with tunnelTo is for the portable engine; take engine out");
  }
}

function* everyServerHasAPort(service: ReadableService, at: Path): Iterable<Mistake> {
  if (service.listen?.port !== 0 || service.mark !== undefined) return;
  for (const [path, { endpoint, hasPort }] of serversOf(service, at)) {
    if (hasPort) continue;
    const host = formatEndpoint(endpoint).replace(/:0$/, "");
    yield value(
      path,
      `${host} has no port, and the service listens on port 0, so there is none to take over`,
    );
  }
}

/** IPVS maps no ports behind a persistent mark; and a check has to know where to knock. */
function* portsFitTheMark(service: ReadableService, at: Path): Iterable<Mistake> {
  const { mark, listen, persistence, destinations, protocol } = service;
  if (mark === undefined || listen === undefined) return;
  for (const [i, { address, healthCheck }] of destinations.entries()) {
    if (address === undefined) continue;
    const path = [...at, "destinations", i, "address"];
    const { port } = address.endpoint;
    if (address.hasPort && persistence !== undefined && listen.all.some((it) => it.port !== port)) {
      yield value(
        path,
        `port ${port} would not be used: behind a mark with persistence every connection keeps its own port; leave ` +
          "the port away",
      );
    }
    const check = healthCheck ?? service.healthCheck ?? (protocol === "tcp" ? {} : "off");
    const hasPort = address.hasPort || listen.all.length > 0;
    if (hasPort || check === "off" || ("port" in check && check.port !== undefined)) continue;
    yield value(
      path,
      `${
        formatEndpoint(address.endpoint).replace(/:0$/, "")
      } has no port, so its health check needs one; write ` +
        "healthCheck: {type: tcp, port: 80}, or healthCheck: off",
    );
  }
}

/** Packets of DR and TUN go to the server as they are; a server behind NAT has no path of that kind. */
function* checkedPathsExist(
  { healthCheck, destinations, mode }: ReadableService,
  at: Path,
): Iterable<Mistake> {
  if (mode !== undefined && mode !== "nat") return;
  const checks = [healthCheck, ...destinations.map((it) => it.healthCheck)];
  for (const [i, check] of checks.entries()) {
    if (check === undefined || check === "off" || !("through" in check) || check.through !== "path") continue;
    yield value(
      [...at, ...(i === 0 ? [] : ["destinations", i - 1]), "healthCheck", "through"],
      "through: path is for mode dr and tun; a server behind NAT is checked at its own address, as clients reach it",
    );
  }
}

function* thresholdsAreInOrder({ destinations }: ReadableService, at: Path): Iterable<Mistake> {
  for (const [i, { upperThreshold, lowerThreshold }] of destinations.entries()) {
    if (upperThreshold === undefined || lowerThreshold === undefined || lowerThreshold <= upperThreshold) {
      continue;
    }
    const wish = upperThreshold === 0 ? "set upperThreshold too" : `allowed: 0 to ${upperThreshold}`;
    yield value(
      [...at, "destinations", i, "lowerThreshold"],
      `lowerThreshold ${lowerThreshold} is higher than upperThreshold ${upperThreshold}; ${wish}`,
    );
  }
}

function* serversDiffer({ destinations, listen }: ReadableService, at: Path): Iterable<Mistake> {
  const addresses = new Map<string, Path>();
  const names = new Map<string, Path>();
  for (const [i, { address, name }] of destinations.entries()) {
    const path = [...at, "destinations", i];
    if (address !== undefined) {
      const text = formatEndpoint(withPort(address, listen?.port ?? 0).endpoint);
      const other = addresses.get(text);
      const message = `destination ${text} is here for the second time; give it a higher weight instead`;
      if (other === undefined) addresses.set(text, path);
      else yield { path, part: "value", message, other };
    }
    if (name === undefined) continue;
    const other = names.get(name);
    const message = `two destinations of this service are named "${name}"`;
    if (other === undefined) names.set(name, path);
    else yield { path: [...path, "name"], part: "value", message, other };
  }
}

function* sorryServerIsOneMore(service: ReadableService, at: Path): Iterable<Mistake> {
  const { sorryServer, destinations, listen, whenAllDown } = service;
  if (sorryServer === undefined || listen === undefined) return;
  const path = [...at, "sorryServer"];
  const text = formatEndpoint(withPort(sorryServer, listen.port).endpoint);
  const same = destinations.findIndex((it) =>
    it.address !== undefined && formatEndpoint(withPort(it.address, listen.port).endpoint) === text
  );
  if (same >= 0) {
    const message = `sorryServer ${text} is a destination too; when all are down, so is it`;
    yield { path, part: "value", message, other: [...at, "destinations", same] };
  }
  if (whenAllDown === "use-all") {
    yield {
      path,
      part: "key",
      message: "sorryServer and whenAllDown: use-all exclude each other; choose one",
    };
  }
}

/** The address with the service's port where it has none of its own. */
export function withPort({ endpoint, hasPort }: ServerAddress, port: number): ServerAddress {
  return hasPort ? { endpoint, hasPort } : { endpoint: { ...endpoint, port }, hasPort };
}

function demandOf(service: ReadableService): (ServiceDemand & { listen: Endpoint }) | undefined {
  const { listen, clientAddress, acceptProxyFrom } = service;
  if (listen === undefined || listen.all.length === 0) return undefined;
  return {
    listen,
    family: listen.address.family,
    port: listen.port,
    everyAddress: listen.address.isUnspecified,
    proxyHeader: clientAddress === "proxy-v1" || clientAddress === "proxy-v2" ||
      (acceptProxyFrom ?? []).length > 0,
  };
}

/** Addresses of the destinations and the sorry server, with their paths. */
function* serversOf(
  { destinations, sorryServer }: ReadableService,
  at: Path,
): Iterable<[Path, ServerAddress]> {
  for (const [i, { address }] of destinations.entries()) {
    if (address !== undefined) yield [[...at, "destinations", i, "address"], address];
  }
  if (sorryServer !== undefined) yield [[...at, "sorryServer"], sorryServer];
}

function value(path: Path, message: string): Mistake {
  return { path, part: "value", message };
}
