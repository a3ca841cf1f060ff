/**
 * Options that are right, made into a config without the schema of files: building that takes longer than all the rest of
 * a start. It reads values by the same functions and checks them by the same rules; what is wrong, the schema tells.
 *
 * @module
 */
import { KERNEL_SYSCTL_NAMES, sysctlDefault } from "../director/sysctl_text.ts";
import { ValueError } from "../errors.ts";
import { HOOK_NAMES } from "../hooks/hook.ts";
import { LOG_LEVELS } from "../hooks/rule.ts";
import { SCHEDULER_NAMES } from "../schedulers/registry.ts";
import { parseListen } from "./address_text.ts";
import { buildConfig } from "./build.ts";
import { crossMistakes } from "./cross_mistakes.ts";
import { ADMIN_LISTEN, DRAIN, LOG, LOG_FORMATS, PASSIVE, SERVICE, TIMEOUTS, WORKERS } from "./defaults.ts";
import { parseDestination } from "./destination_text.ts";
import { parseDuration } from "./duration.ts";
import type { Config } from "./model.ts";
import type { WrittenConfig } from "./schema.ts";
import type { WrittenService } from "./service_schema.ts";

/** A config in the words of a file, as far as options can say it. */
export interface PlainConfig {
  readonly admin: { readonly listen?: string };
  readonly log: { readonly format?: string; readonly level?: string };
  readonly services: readonly PlainService[];
}

/** A service of it. */
export interface PlainService {
  readonly listen: string;
  readonly protocol: "tcp" | "udp";
  readonly destinations: readonly string[];
  readonly scheduler?: string;
}

/** The config, or undefined where anything is wrong. */
export function rightConfig(plain: PlainConfig): Config | undefined {
  try {
    const written = writtenConfig(plain);
    const services = written.services.map((it, i) => ({
      ...it,
      written: new Set(Object.keys(plain.services[i] ?? {})),
    }));
    // Without rules of their own.
    const mistakes = crossMistakes({ admin: written.admin, rules: [], services });
    return mistakes.length === 0 ? buildConfig(written, "") : undefined;
  } catch (error) {
    if (error instanceof ValueError) return undefined;
    throw error;
  }
}

function writtenConfig({ admin, log, services }: PlainConfig): WrittenConfig {
  const { listen = ADMIN_LISTEN } = admin;
  const noRules = { policy: "accept" as const, chain: [] };
  return {
    admin: { listen: listen === "off" ? listen : parseListen(listen) },
    log: {
      format: oneOf(LOG_FORMATS, log.format ?? LOG.format),
      level: oneOf(LOG_LEVELS, log.level ?? LOG.level),
      connections: LOG.connections,
    },
    timeouts: milliseconds(TIMEOUTS),
    drain: milliseconds(DRAIN),
    ipvs: Object.fromEntries(
      KERNEL_SYSCTL_NAMES.map((it) => [it, sysctlDefault(it)]),
    ) as WrittenConfig["ipvs"],
    workers: WORKERS,
    rules: {
      ...Object.fromEntries(HOOK_NAMES.map((it) => [it, noRules])) as Record<
        typeof HOOK_NAMES[number],
        typeof noRules
      >,
      chains: {},
    },
    services: services.map(writtenService),
  };
}

function writtenService({ listen, protocol, destinations, scheduler }: PlainService): WrittenService {
  const endpoint = parseListen(listen);
  return {
    ...SERVICE,
    listen: { ...endpoint, all: [endpoint], isList: false },
    protocol,
    scheduler: oneOf(SCHEDULER_NAMES, scheduler ?? SERVICE.scheduler),
    flags: [],
    connectTimeout: parseDuration(SERVICE.connectTimeout),
    queueTimeout: parseDuration(SERVICE.queueTimeout),
    acceptProxyFrom: [],
    allow: [],
    deny: [],
    passive: { ...PASSIVE, eject: parseDuration(PASSIVE.eject) },
    destinations: destinations.map(parseDestination),
  };
}

function milliseconds<Name extends string>(written: Readonly<Record<Name, string>>): Record<Name, number> {
  const entries = Object.entries<string>(written).map(([name, text]) => [name, parseDuration(text)]);
  return Object.fromEntries(entries) as Record<Name, number>;
}

/** @throws {ValueError} */
function oneOf<Name extends string>(names: readonly Name[], text: string): Name {
  const name = names.find((it) => it === text);
  if (name === undefined) throw new ValueError("NAME_UNKNOWN", `no ${text} among ${names.join(", ")}`, {});
  return name;
}
