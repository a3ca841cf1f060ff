/**
 * Rules across the services of a config.
 *
 * @module
 */
import { arenaWords } from "../director/cell_arena.ts";
import type { IpAddress } from "../net/address.ts";
import { type Endpoint, formatEndpoint, isNamed } from "../net/endpoint.ts";
import { LIMITS } from "../limits.ts";
import { findScheduler } from "../schedulers/registry.ts";
import { defaultServiceName, serviceIdentity } from "./identity.ts";
import type { Mistake } from "./mistakes.ts";
import type { Path } from "./positions.ts";
import type { ReadableConfig, ReadableService } from "./readable.ts";
import { withPort } from "./service_rules.ts";

/** A rule says what is wrong with a config as a whole. */
export type ConfigRule = (config: ReadableConfig) => Iterable<Mistake>;

/** All rules across services. */
export const CONFIG_RULES: readonly ConfigRule[] = [
  adminIsGuarded,
  adminHasItsOwnPort,
  listensDiffer,
  everyAddressIsAlone,
  namesDiffer,
  noServerIsOurListener,
  sizeIsBounded,
  schedulersFit,
];

function* adminIsGuarded({ admin }: ReadableConfig): Iterable<Mistake> {
  const { listen, token } = admin;
  if (listen === undefined || listen === "off" || listen.address.isLoopback || token !== undefined) return;
  const where = listen.address.isUnspecified ? "every address of this host" : "an address that others reach";
  yield {
    path: ["admin", "listen"],
    part: "value",
    message:
      `the admin API on ${formatEndpoint(listen)} (${where}) needs a token; set admin.token, for example ` +
      "${LVSD_TOKEN}, or listen on 127.0.0.1",
  };
}

function* adminHasItsOwnPort({ admin, services }: ReadableConfig): Iterable<Mistake> {
  const { listen } = admin;
  if (listen === undefined || listen === "off") return;
  for (const [i, service] of services.entries()) {
    if (service.protocol !== "tcp" || listen.port === 0) continue;
    for (const [own, path] of listenersOf(service, i)) {
      if (!covers(own, listen) && !covers(listen, own)) continue;
      const message = `${
        formatEndpoint(own)
      } is taken by the admin API (admin.listen, default 127.0.0.1:9180)`;
      yield { path, part: "value", message };
    }
  }
}

function* listensDiffer({ services }: ReadableConfig): Iterable<Mistake> {
  const seen = new Map<string, Path>();
  for (const [i, service] of services.entries()) {
    const { protocol, mark } = service;
    if (protocol === undefined) continue;
    for (const [listen, path] of listenersOf(service, i)) {
      const key = serviceIdentity({ protocol, listen });
      const other = seen.get(key);
      if (other === undefined) seen.set(key, path);
      else yield { path, part: "value", message: `two services listen on ${key}`, other };
    }
    if (mark === undefined || service.listen === undefined) continue;
    const path = ["services", i, "mark"];
    const key = serviceIdentity({ protocol, listen: service.listen, mark });
    const other = seen.get(key);
    if (other === undefined) seen.set(key, path);
    else yield { path, part: "value", message: `two services have ${key}`, other };
  }
}

/** A socket on every address keeps all others of its port from being opened, whichever comes first. */
function* everyAddressIsAlone({ services }: ReadableConfig): Iterable<Mistake> {
  const sockets = services.flatMap((service, i) =>
    service.mode !== "nat" || service.engine === "packet" ? [] : listenersOf(service, i)
      .filter(([listen]) => listen.port !== 0)
      .map(([listen, path]) => ({ listen, path, port: `${service.protocol} ${listen.port}` }))
  );
  for (const [port, group] of Map.groupBy(sockets, (it) => it.port)) {
    for (const [i, { listen, path }] of group.entries()) {
      const other = group.slice(0, i).find((it) => isEitherEvery(it.listen.address, listen.address));
      if (other === undefined) continue;
      const [first, second] = [formatEndpoint(other.listen), formatEndpoint(listen)];
      const every = isEvery(listen.address, other.listen.address) ? second : first;
      yield {
        path,
        part: "value",
        message: `${first} and ${second} cannot both be opened: ${every} takes ${port} of ${
          every.startsWith("[") ? "every address, IPv4 too" : "every IPv4 address"
        }`,
        other: other.path,
      };
    }
  }
}

/** The same address twice is told elsewhere. */
function isEitherEvery(a: IpAddress, b: IpAddress): boolean {
  return !a.equals(b) && (isEvery(a, b) || isEvery(b, a));
}

function* namesDiffer({ services }: ReadableConfig): Iterable<Mistake> {
  const seen = new Map<string, Path>();
  const explicit = services.entries().filter(([, it]) => it.name !== undefined);
  for (const [i, { name = "" }] of explicit) {
    const path = ["services", i, "name"];
    const other = seen.get(name);
    if (other === undefined) seen.set(name, path);
    else yield { path, part: "value", message: `two services are named "${name}"`, other };
  }
  for (const [i, { name, protocol, listen, mark }] of services.entries()) {
    if (name !== undefined || protocol === undefined || listen === undefined || mark !== undefined) continue;
    const own = defaultServiceName({ protocol, listen });
    const other = seen.get(own);
    if (other === undefined) continue;
    const message = `the service on ${own} has no name and would be called "${own}", as another one is`;
    yield { path: ["services", i, "listen"], part: "value", message, other };
  }
}

function* noServerIsOurListener({ services }: ReadableConfig): Iterable<Mistake> {
  const listeners = services.flatMap((service, i) =>
    service.mode !== "nat" ? [] : listenersOf(service, i)
      .filter(([listen]) => listen.port !== 0)
      .map(([listen, path]) => ({ protocol: service.protocol, listen, path, i }))
  );
  const byPort = Map.groupBy(listeners, (it) => it.listen.port);
  for (const [i, { protocol, mode, listen, mark, destinations }] of services.entries()) {
    if (mode !== "nat" || listen === undefined) continue;
    for (const [j, { address }] of destinations.entries()) {
      if (address === undefined) continue;
      const { endpoint } = withPort(address, mark === undefined ? listen.port : 0);
      if (isNamed(endpoint)) continue;
      const own = byPort.get(endpoint.port)?.find((it) =>
        it.protocol === protocol && covers(it.listen, endpoint)
      );
      if (own === undefined) continue;
      const which = own.i === i ? "this service" : "another service";
      yield {
        path: ["services", i, "destinations", j, "address"],
        part: "value",
        message:
          `destination ${formatEndpoint(endpoint)} is the address that ${which} listens on; traffic would ` +
          "run in a circle",
        other: own.path,
      };
    }
  }
}

function* sizeIsBounded({ services }: ReadableConfig): Iterable<Mistake> {
  if (services.length > LIMITS.services) {
    const message = `${services.length} services; there may be ${LIMITS.services}`;
    yield { path: ["services"], part: "key", message };
  }
  const destinations = services.reduce(
    (sum, it) => sum + it.destinations.length + (it.sorryServer === undefined ? 0 : 1),
    0,
  );
  if (destinations > LIMITS.destinations) {
    const message =
      `${destinations} destinations in all services together; there may be ${LIMITS.destinations}`;
    yield { path: ["services"], part: "key", message };
  }
}

/** Told at the first service for whose scheduler there is no room. */
function* schedulersFit({ services }: ReadableConfig): Iterable<Mistake> {
  let words = 0;
  for (const [i, { scheduler = "" }] of services.entries()) {
    const needed = arenaWords(findScheduler(scheduler)?.cellCount ?? 0);
    words += needed;
    if (needed === 0 || words <= LIMITS.schedulerCells) continue;
    const message =
      `scheduler ${scheduler} needs ${needed} cells, and the services before this one have taken ` +
      `${
        words - needed
      } of the ${LIMITS.schedulerCells} that there are; give some services another scheduler`;
    yield { path: ["services", i, "scheduler"], part: "value", message };
    return;
  }
}

/** Every address that a service listens on, with its place in the file. */
function listenersOf({ listen }: ReadableService, i: number): [Endpoint, Path][] {
  const path = ["services", i, "listen"];
  return (listen?.all ?? []).map((it, j) => [it, listen?.isList === true ? [...path, j] : path]);
}

/** Whether a listener certainly gets what is sent to `target`. */
function covers(listener: Endpoint, target: Endpoint): boolean {
  if (listener.port !== target.port) return false;
  if (listener.address.equals(target.address)) return true;
  return isEvery(listener.address, target.address) && target.address.isLoopback;
}

/** `[::]` takes IPv4 too. */
function isEvery(listener: IpAddress, target: IpAddress): boolean {
  return listener.isUnspecified && (listener.family === 6 || target.family === 4);
}
