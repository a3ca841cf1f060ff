/**
 * `-L --lvsd` and `-L --json`: what this program knows beyond the kernel's table.
 *
 * @module
 */
import { IpAddress } from "../net/address.ts";
import { flagNames } from "./flags.ts";
import { maskText } from "./list.ts";
import type { Names } from "./names.ts";
import { protocolOf } from "./order.ts";
import { placeText, protocolText } from "./place.ts";
import type { DestinationRow, ServiceRow } from "./table.ts";

const METHOD_WORD = { nat: "nat", dr: "dr", tun: "tun" } as const;

/** Services in kernel order with names, owner, state, health, both weights. */
export async function listOwn(
  services: readonly ServiceRow[],
  { asJson, names }: { readonly asJson: boolean; readonly names: Names },
): Promise<string> {
  if (asJson) return `${JSON.stringify(services.map(plainService), null, 2)}\n`;
  const lines: string[] = [];
  for (const service of services) {
    lines.push(await serviceText(service, names));
    for (const it of service.destinations) lines.push(await destinationText(it, service, names));
  }
  return lines.map((line) => `${line}\n`).join("");
}

async function serviceText({ key, note, scheduler }: ServiceRow, names: Names): Promise<string> {
  const place = "mark" in key
    ? `FWM ${key.mark}${key.family === 6 ? " IPv6" : ""}`
    : `${protocolText(key.protocol)} ${await placeText(key.address, key.port, key.protocol, names)}`;
  if (note === undefined) return `${place} ${scheduler}`;
  const state = note.reason === "" ? note.state : `${note.state} (${note.reason})`;
  const owner = note.changed ? `${note.owner}, changed by ipvsadm` : note.owner;
  const name = note.name === "" ? "" : ` name=${note.name}`;
  const emulated = note.emulated === "" ? "" : ` emulated: ${note.emulated}`;
  return `${place} ${scheduler}${name} owner=${owner} engine=${note.engine} ${state}${emulated}`;
}

async function destinationText(row: DestinationRow, { key }: ServiceRow, names: Names): Promise<string> {
  const place = await placeText(row.address, row.port, protocolOf(key), names);
  const weight = `weight=${row.effectiveWeight}/${row.weight}`;
  const emulated = row.note?.emulated === true ? " emulated" : "";
  const state = row.note === undefined ? "" : ` ${row.note.state}${emulated} name=${row.note.name}`;
  return `  -> ${place} ${METHOD_WORD[row.method]} ${weight}${row.absent ? " absent" : ""}${state}`;
}

function plainService(service: ServiceRow): Record<string, unknown> {
  const { key, scheduler, persistentSeconds, note } = service;
  const { destinations, totals, rates, onePacket } = service;
  return {
    ...("mark" in key ? { mark: key.mark, family: key.family } : {
      protocol: protocolText(key.protocol).toLowerCase(),
      address: String(key.address),
      port: key.port,
    }),
    scheduler,
    flags: (flagNames(service.flags, scheduler) ?? "").split(",").filter((it) => it !== ""),
    persistence: persistentSeconds === undefined ? null : {
      timeoutSeconds: persistentSeconds,
      mask: maskText(service) ?? null,
      engine: service.persistenceEngine === "" ? null : service.persistenceEngine,
    },
    onePacket,
    totals,
    rates,
    ...(note ?? {}),
    destinations: destinations.map(plainDestination),
  };
}

function plainDestination(row: DestinationRow): Record<string, unknown> {
  const { address, weight, note, tunnel, ...rest } = row;
  return {
    address: address instanceof IpAddress ? String(address) : address,
    configuredWeight: weight,
    ...rest,
    ...(row.method === "tun" ? { tunnel } : {}),
    ...(note ?? {}),
  };
}
