/**
 * Rules of ipvsadm as configuration, so that a service made by a command is one like any other.
 *
 * @module
 */
import { rightConfig } from "../config/right_options.ts";
import type { DestinationConfig, PersistenceConfig, ServiceConfig } from "../config/model.ts";
import { engineName, engineNumber } from "../director/persistence_engines.ts";
import type { ServiceKey } from "../director/specs.ts";
import { familyOf } from "../ipvsadm/order.ts";
import type { DestinationRule, ServiceRule } from "../ipvsadm/rules.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { PROTOCOL } from "../net/flow.ts";
import { maskWords } from "../net/prefix.ts";

const EXAMPLE = { listen: "127.0.0.1:1", protocol: "tcp", destinations: ["127.0.0.1:2"] } as const;

/** Everything that a rule does not say, as a config file that does not say it either. */
export function unsaidSettings(): ServiceConfig {
  const service = rightConfig({ admin: {}, log: {}, services: [EXAMPLE] })?.services[0];
  if (service === undefined) throw new Error("the example has one service");
  const { healthCheck: _unchecked, passive: _unwatched, ...settings } = service;
  return { ...settings, destinations: [] };
}

/** Whether a socket can stand for a service. */
export function hasSocket(key: ServiceKey): boolean {
  return reasonUnserved(key, () => false) === undefined;
}

/**
 * Why a service forwards nothing, undefined when it may forward.
 *
 * @param givesMark whether a rule in force gives packets a mark
 */
export function reasonUnserved(key: ServiceKey, givesMark: (mark: number) => boolean): string | undefined {
  if ("mark" in key) {
    return givesMark(key.mark)
      ? undefined
      : "a socket sees no firewall mark; only lvsd's own rules can set this one, and none does: " +
        `add one with target: {mark: ${key.mark}}`;
  }
  if (key.protocol === PROTOCOL.sctp) return "SCTP is stored, listed and saved, and forwards nothing";
  if (key.port === 0) return "a socket cannot listen on all ports";
  return undefined;
}

/** Identity of a service in the configuration, undefined for one that no configuration can have. */
export function identityOf(key: ServiceKey): string | undefined {
  if ("mark" in key) return `mark ${key.mark}${key.family === 6 ? " IPv6" : ""}`;
  if (key.protocol === PROTOCOL.sctp) return undefined;
  return `${key.protocol === PROTOCOL.udp ? "udp" : "tcp"} ${formatEndpoint(key)}`;
}

/**
 * A service as `-A` or `-E` describes it; `base` has the rest.
 *
 * @throws {DirectorError} `ENOENT`: no such persistence engine
 */
export function serviceConfigOf(rule: ServiceRule, base: ServiceConfig): ServiceConfig {
  const { persistence: _replaced, ...rest } = base;
  const { key } = rule;
  const persistence = persistenceOf(rule);
  return {
    ...rest,
    ...("mark" in key ? {} : {
      protocol: key.protocol === PROTOCOL.udp ? "udp" as const : "tcp" as const,
      listen: { address: key.address, port: key.port },
    }),
    scheduler: rule.scheduler,
    schedulerFlags: rule.flags,
    onePacket: rule.onePacket,
    ...(persistence === undefined ? {} : { persistence }),
  };
}

function persistenceOf(rule: ServiceRule): PersistenceConfig | undefined {
  const { key, persistentSeconds, netmask, persistenceEngine } = rule;
  const engine = engineName(engineNumber(persistenceEngine === "" ? undefined : persistenceEngine));
  if (persistentSeconds === undefined) return undefined;
  const common = { timeoutMs: persistentSeconds * 1_000, ...(engine === undefined ? {} : { engine }) };
  if (familyOf(key) === 6) return { ...common, prefixLength: netmask };
  const prefixLength = Array.from({ length: 33 }, (_, i) => i).find((it) => maskWords(4, it)[0] === netmask);
  return prefixLength === undefined ? { ...common, prefixLength: 32, netmask } : { ...common, prefixLength };
}

/** A destination as `-a` or `-e` describes it; `base` keeps its name and check. */
export function destinationConfigOf(rule: DestinationRule, base?: DestinationConfig): DestinationConfig {
  const { address, port, weight, upperThreshold, lowerThreshold, method, tunnel } = rule;
  const { tunnel: _replaced, ...rest } = base ?? {
    name: formatEndpoint({ address, port }),
    endpoint: { address, port },
  };
  return {
    ...rest,
    weight,
    upperThreshold,
    lowerThreshold,
    method,
    ...(method === "tun" ? { tunnel } : {}),
  };
}
