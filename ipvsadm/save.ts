/**
 * `ipvsadm -S`: the table as commands that make it again.
 *
 * @module
 */
import type { ServiceKey } from "../director/specs.ts";
import { flagNames } from "./flags.ts";
import { maskText } from "./list.ts";
import { type Names, NO_NAMES } from "./names.ts";
import { protocolOf, sortDestinations, sortServices } from "./order.ts";
import { placeText, serviceOption } from "./place.ts";
import type { DestinationRule, ServiceRule } from "./rules.ts";
import type { Tunnel } from "../modes/tunnel.ts";
import type { ServiceRow } from "./table.ts";

const METHOD_OPTION = { nat: "-m", dr: "-g", tun: "-i" } as const;

/** Configured weights, no thresholds: as the tool saves. */
export async function saveServices(services: readonly ServiceRow[], names: Names): Promise<string> {
  const lines: string[] = [];
  for (const service of sortServices(services)) {
    lines.push(await serviceCommand(service, names));
    for (const destination of sortDestinations(service.destinations.filter((it) => it.standsIn !== true))) {
      lines.push(await destinationCommand(service.key, destination, names));
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}

/**
 * Commands that make a service again as it is, in the order of their making. Unlike the tool's own it loses nothing:
 * thresholds, marks above 2^31 and every scheduler flag are in it.
 */
export async function exactCommands(service: ServiceRow): Promise<string[]> {
  const { key } = service;
  const flags = flagNames(service.flags, "");
  const unsigned = (line: string) =>
    "mark" in key ? line.replace(/^(-[Aa] -f) -?\d+/, `$1 ${key.mark}`) : line;
  const make = await serviceCommand({ ...service, flags: 0 }, NO_NAMES);
  const lines = [flags === undefined ? make : `${make} -b ${flags}`];
  for (const it of service.destinations.toReversed()) {
    if (it.standsIn === true) continue;
    const command = await destinationCommand(key, it, NO_NAMES);
    lines.push(
      it.upperThreshold === 0 ? command : `${command} -x ${it.upperThreshold} -y ${it.lowerThreshold}`,
    );
  }
  return lines.map(unsigned);
}

/** `-A ...` */
export async function serviceCommand(service: ServiceRule, names: Names): Promise<string> {
  const { persistentSeconds, persistenceEngine, scheduler } = service;
  const flags = flagNames(service.flags, scheduler);
  const mask = persistentSeconds === undefined ? undefined : maskText(service);
  return [
    `-A ${await serviceOption(service.key, names)} -s ${scheduler}`,
    ...(persistentSeconds === undefined ? [] : [`-p ${persistentSeconds}`]),
    ...(mask === undefined ? [] : [`-M ${mask}`]),
    ...(persistentSeconds === undefined || persistenceEngine === "" ? [] : [`--pe ${persistenceEngine}`]),
    ...(service.onePacket ? ["-o"] : []),
    ...(flags === undefined ? [] : [`-b ${flags}`]),
  ].join(" ");
}

/** `-a ...` */
export async function destinationCommand(
  key: ServiceKey,
  destination: DestinationRule,
  names: Names,
): Promise<string> {
  const { address, port, method, weight, tunnel } = destination;
  const place = await placeText(address, port, protocolOf(key), names);
  const service = await serviceOption(key, names);
  const rule = `-a ${service} -r ${place} ${METHOD_OPTION[method]} -w ${weight}`;
  return method === "tun" ? `${rule}${tunnelOptions(tunnel)}` : rule;
}

function tunnelOptions({ type, port, checksum }: Tunnel): string {
  if (type === "ipip") return " --tun-type ipip";
  return ` --tun-type ${type}${type === "gue" ? ` --tun-port ${port}` : ""} --tun-${checksum}`;
}
