/**
 * `ipvsadm -L`: the table of services in each of its forms, column by column.
 *
 * @module
 */
import type { MethodName, ServiceKey } from "../director/specs.ts";
import { IpAddress } from "../net/address.ts";
import { maskWords } from "../net/prefix.ts";
import { flagNames } from "./flags.ts";
import { type Names, NO_NAMES } from "./names.ts";
import { familyOf, protocolOf, sortDestinations, sortServices } from "./order.ts";
import { placeText, protocolText } from "./place.ts";
import type { ServiceRule } from "./rules.ts";
import type { Tunnel } from "../modes/tunnel.ts";
import type { DestinationRow, Numbers, ServiceRow } from "./table.ts";

/** Which columns; when several are asked for, the first of this list is shown. */
export const LIST_FORMATS = ["stats", "rate", "thresholds", "persistent-conn", "tun-info"] as const;
export type ListFormat = typeof LIST_FORMATS[number] | "plain";

export interface ListOptions {
  readonly format: ListFormat;
  /** Numbers in full. */
  readonly exact: boolean;
  readonly sorted: boolean;
  /** {@linkcode NO_NAMES} for `-n`. */
  readonly names: Names;
}

/** Width of an IPv4 real server; longer names are cut, IPv6 ones push the columns. */
const SERVER_WIDTH = 28;
/** Width of an IPv4 service, protocol included. */
const SERVICE_WIDTH = 33;
const METHOD_TEXT: Readonly<Record<MethodName, string>> = { nat: "Masq", dr: "Route", tun: "Tunnel" };
const CHECKSUM_TEXT: Readonly<Record<Tunnel["checksum"], string>> = {
  nocsum: "-c",
  csum: "+c",
  remcsum: "r+c",
};
const TUNNEL_TEXT_LENGTH = 15;
const FIRST_TITLE = "Prot LocalAddress:Port";
const SECOND_TITLE = "  -> RemoteAddress:Port";

/** `IP Virtual Server version 1.2.1 (size=4096)`: only the listing of all services has it. */
export function versionLine(connectionSlots: number): string {
  return `IP Virtual Server version 1.2.1 (size=${connectionSlots})\n`;
}

/** Titles and rows. */
export async function listServices(services: readonly ServiceRow[], options: ListOptions): Promise<string> {
  const lines = titles(options.format);
  for (const service of options.sorted ? sortServices(services) : services) {
    lines.push(await serviceLine(service, options));
    const present = service.destinations.filter((it) => !it.absent);
    for (const destination of options.sorted ? sortDestinations(present) : present) {
      lines.push(await destinationLine(destination, protocolOf(service.key), options));
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}

function titles(format: ListFormat): string[] {
  const wide = (names: readonly string[], widths: readonly number[]) =>
    `${left(FIRST_TITLE, SERVICE_WIDTH)} ${names.map((name, i) => left(name, widths[i] ?? 0)).join(" ")}`;
  switch (format) {
    case "stats":
      return [numberTitle(["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"]), SECOND_TITLE];
    case "rate":
      return [numberTitle(["CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"]), SECOND_TITLE];
    case "thresholds":
      return [
        wide(["Uthreshold", "Lthreshold", "ActiveConn", "InActConn"], [10, 10, 10, 10]),
        SECOND_TITLE,
      ];
    case "persistent-conn":
      return [wide(["Weight", "PersistConn", "ActiveConn", "InActConn"], [9, 11, 10, 10]), SECOND_TITLE];
    case "tun-info":
      return [
        `${FIRST_TITLE} Scheduler Flags`,
        `${SECOND_TITLE}           Forward TunnelInfo    Weight ActiveConn InActConn`,
      ];
    case "plain":
      return [
        `${FIRST_TITLE} Scheduler Flags`,
        `${SECOND_TITLE}           Forward Weight ActiveConn InActConn`,
      ];
  }
}

function numberTitle(names: readonly string[]): string {
  return `${left(FIRST_TITLE, SERVICE_WIDTH)} ${names.map((name) => name.padStart(8)).join(" ")}`;
}

async function serviceLine(service: ServiceRow, { format, exact, names }: ListOptions): Promise<string> {
  const name = await serviceName(service.key, names);
  if (format === "stats") return left(name, SERVICE_WIDTH) + numbers(service.totals, exact);
  if (format === "rate") return left(name, SERVICE_WIDTH) + numbers(service.rates, exact);
  return `${name} ${service.scheduler}${serviceFlags(service)}`;
}

async function serviceName(key: ServiceKey, names: Names): Promise<string> {
  if ("mark" in key) return `FWM  ${key.mark | 0}${key.family === 6 ? " IPv6" : ""}`;
  const place = await placeText(key.address, key.port, key.protocol, names);
  const text = `${left(protocolText(key.protocol), 4)} ${place}`;
  return key.address.family === 6 ? text : text.slice(0, SERVICE_WIDTH);
}

/** Scheduler flags, persistence, one-packet: what stands behind the scheduler. */
function serviceFlags(service: ServiceRule): string {
  const flags = flagNames(service.flags, service.scheduler);
  const engine = service.persistenceEngine;
  return [
    flags === undefined ? "" : ` (${flags})`,
    service.persistentSeconds === undefined ? "" : ` persistent ${service.persistentSeconds}`,
    service.persistentSeconds === undefined ? "" : withBlank("mask", maskText(service)),
    service.persistentSeconds === undefined || engine === "" ? "" : ` pe ${engine}`,
    service.onePacket ? " ops" : "",
  ].join("");
}

function withBlank(word: string, text: string | undefined): string {
  return text === undefined ? "" : ` ${word} ${text}`;
}

/** The persistence mask, undefined when it is the whole address. */
export function maskText({ key, netmask }: ServiceRule): string | undefined {
  if (familyOf(key) === 6) return netmask === 128 ? undefined : String(netmask);
  const whole = maskWords(4, 32)[0];
  return netmask === whole ? undefined : String(IpAddress.ipv4(netmask));
}

async function destinationLine(
  row: DestinationRow,
  protocol: number,
  { format, exact, names }: ListOptions,
): Promise<string> {
  const place = await placeText(row.address, row.port, protocol, names);
  const server = row.address.family === 6 ? place : place.slice(0, SERVER_WIDTH);
  return `  -> ${left(server, SERVER_WIDTH)}${destinationColumns(row, format, exact)}`;
}

function destinationColumns(row: DestinationRow, format: ListFormat, exact: boolean): string {
  const connections = [left(row.activeConns, 10), left(row.inactiveConns, 10)];
  const method = left(METHOD_TEXT[row.method], 7);
  const weight = row.effectiveWeight;
  switch (format) {
    case "stats":
      return numbers(row.totals, exact);
    case "rate":
      return rates(row.rates, exact);
    case "thresholds":
      return columns([left(row.upperThreshold, 10), left(row.lowerThreshold, 10), ...connections]);
    case "persistent-conn":
      return columns([left(weight, 9), left(row.persistentConns, 11), ...connections]);
    case "tun-info":
      return columns([method, left(tunnelText(row), 13), left(weight, 6), ...connections]);
    case "plain":
      return columns([method, left(weight, 6), ...connections]);
  }
}

function columns(cells: readonly string[]): string {
  return cells.map((cell) => ` ${cell}`).join("");
}

function tunnelText({ method, tunnel }: DestinationRow): string {
  if (method !== "tun") return "n/a";
  const checksum = CHECKSUM_TEXT[tunnel.checksum];
  const text = tunnel.type === "gue"
    ? `gue:${tunnel.port}:${checksum}`
    : tunnel.type === "gre"
    ? `gre:${checksum}`
    : "ipip";
  return text.slice(0, TUNNEL_TEXT_LENGTH);
}

function numbers(of: Numbers, exact: boolean): string {
  return [of.connections, of.inPackets, of.outPackets, of.inBytes, of.outBytes]
    .map((number) => largeNumber(number, exact)).join("");
}

/** The first three of a destination's rates are never shortened. */
function rates(of: Numbers, exact: boolean): string {
  const full = [of.connections, of.inPackets, of.outPackets].map((it) => ` ${whole(it).padStart(8)}`);
  return full.join("") + largeNumber(of.inBytes, exact) + largeNumber(of.outBytes, exact);
}

const UNITS = [
  { below: 1e9, unit: 1e3, letter: "K" },
  { below: 1e11, unit: 1e6, letter: "M" },
  { below: 1e14, unit: 1e9, letter: "G" },
  { below: Infinity, unit: 1e12, letter: "T" },
] as const;

/**
 * Right-aligned in nine columns; from 10^8 on in thousands, millions and so on, unless `exact`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(largeNumber(99_999_999, false), " 99999999");
 * assert.equal(largeNumber(117_002_999, false), "  117002K");
 * assert.equal(largeNumber(4_294_967_295, true), " 4294967295");
 * ```
 */
export function largeNumber(number: number, exact: boolean): string {
  if (exact) return ` ${whole(number).padStart(8)}`;
  if (number < 1e8) return whole(number).padStart(9);
  const { unit, letter } = UNITS.find(({ below }) => number < below) ?? UNITS[3];
  return `${whole(number / unit).padStart(8)}${letter}`;
}

function whole(number: number): string {
  return String(BigInt(Math.trunc(number)));
}

function left(value: string | number, width: number): string {
  return String(value).padEnd(width);
}

/** Names to print with: none for `-n`. */
export function printedNames(numeric: boolean, names: Names): Names {
  return numeric ? NO_NAMES : names;
}
