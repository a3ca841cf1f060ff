/**
 * A config's rules as commands for the real tool.
 *
 * @module
 */
import type { Config, ServiceConfig } from "../config/model.ts";
import { serviceSpecification } from "../config/specification.ts";
import { isNamed } from "../net/endpoint.ts";
import { maskWords } from "../net/prefix.ts";
import { type Names, NO_NAMES } from "./names.ts";
import { familyOf } from "./order.ts";
import { PLAIN_TUNNEL } from "../modes/tunnel.ts";
import type { ServiceRule } from "./rules.ts";
import { destinationCommand, serviceCommand } from "./save.ts";

/** Commands in the order of the config, and what they cannot say. */
export interface ExportedRules {
  readonly commands: readonly string[];
  readonly warnings: readonly string[];
}

const HOST_LENGTH = 128;

/** Time-outs, services, destinations. Host names are looked up now, for the kernel knows addresses only. */
export async function exportRules(config: Config, names: Names): Promise<ExportedRules> {
  const { tcpMs, tcpFinMs, udpMs } = config.timeouts;
  const commands = [`--set ${[tcpMs, tcpFinMs, udpMs].map((it) => Math.ceil(it / 1_000)).join(" ")}`];
  const warnings: string[] = [];
  for (const service of config.services) {
    const rule = ruleOf(service);
    commands.push(await serviceCommand(rule, NO_NAMES));
    commands.push(...await destinationsOf(service, rule, names, warnings));
    warnings.push(...beyondTheKernel(service));
  }
  return { commands, warnings };
}

function ruleOf(service: ServiceConfig): ServiceRule {
  const { key, scheduler, flags = 0 } = serviceSpecification(service);
  const { persistence } = service;
  const isIpv6 = familyOf(key) === 6;
  const length = persistence?.prefixLength ?? (isIpv6 ? HOST_LENGTH : 32);
  return {
    key,
    scheduler,
    flags,
    ...(persistence === undefined ? {} : { persistentSeconds: Math.ceil(persistence.timeoutMs / 1_000) }),
    netmask: isIpv6 ? length : maskWords(4, length)[0] ?? 0,
    onePacket: service.onePacket,
    persistenceEngine: persistence?.engine ?? "",
  };
}

async function destinationsOf(
  service: ServiceConfig,
  { key }: ServiceRule,
  names: Names,
  warnings: string[],
): Promise<string[]> {
  const commands: string[] = [];
  for (const { endpoint, weight, upperThreshold, lowerThreshold, method, tunnel } of service.destinations) {
    const address = isNamed(endpoint) ? await names.addressOf(endpoint.host) : endpoint.address;
    if (address === undefined || address.family !== familyOf(key)) {
      const host = isNamed(endpoint) ? endpoint.host : String(endpoint.address);
      const why = address === undefined ? "has no IPv4 address" : "is of another address family";
      warnings.push(`service "${service.name}": destination ${host} ${why}; left out`);
      continue;
    }
    const command = await destinationCommand(key, {
      address,
      port: endpoint.port,
      method: method ?? service.mode,
      weight,
      upperThreshold,
      lowerThreshold,
      tunnel: tunnel ?? PLAIN_TUNNEL,
    }, NO_NAMES);
    commands.push(upperThreshold === 0 ? command : `${command} -x ${upperThreshold} -y ${lowerThreshold}`);
  }
  return commands;
}

/** What the kernel's table does not do. */
function* beyondTheKernel(service: ServiceConfig): Iterable<string> {
  const name = `service "${service.name}"`;
  const { listen, healthCheck, destinations, sorryServer, clientAddress, acceptProxyFrom, mark, tcp } =
    service;
  if (healthCheck !== undefined || destinations.some((it) => it.healthCheck)) {
    yield `${name}: the kernel does not check health; keepalived or ldirectord does`;
  }
  if (sorryServer !== undefined) yield `${name}: the kernel knows no sorryServer`;
  if (clientAddress.startsWith("proxy-") || acceptProxyFrom.length > 0) {
    yield `${name}: the kernel knows no PROXY headers`;
  }
  if (tcp !== undefined) yield `${name}: the kernel relays packets and has no sockets to set options of`;
  if (mark === undefined && listen.address.isUnspecified) {
    yield `${name}: the kernel needs the address itself, not ${listen.address}`;
  }
  if (mark !== undefined) yield `${name}: set the mark ${mark.value} with nftables or iptables`;
}
