/**
 * The views of `/proc/net/ip_vs*`.
 *
 * @module
 */
import type { IpAddress } from "../net/address.ts";
import type { MethodName } from "../director/specs.ts";
import { connectionProtocol } from "./connections.ts";
import { versionLine } from "./list.ts";
import { familyOf } from "./order.ts";
import { protocolText } from "./place.ts";
import type { ConnectionRow, DestinationRow, Numbers, ServiceRow, Table } from "./table.ts";

/** Names of the views, without the folder. */
export const PROC_VIEWS = [
  "ip_vs",
  "ip_vs_app",
  "ip_vs_conn",
  "ip_vs_conn_sync",
  "ip_vs_stats",
  "ip_vs_stats_percpu",
] as const;
export type ProcView = typeof PROC_VIEWS[number];

/** Ticks of the kernel's clock in a second, in which it shows persistence; Debian's is 250. */
const TICKS = 250;
const METHOD_TEXT: Readonly<Record<MethodName, string>> = { nat: "Masq", dr: "Route", tun: "Tunnel" };

/** Text of one view. */
export function procText(view: ProcView, table: Table): string {
  switch (view) {
    case "ip_vs":
      return ipVs(table);
    case "ip_vs_app":
      return "prot    port    usecnt name\n";
    case "ip_vs_conn":
      return connections(table, false);
    case "ip_vs_conn_sync":
      return connections(table, true);
    case "ip_vs_stats":
      return statistics(table);
    case "ip_vs_stats_percpu":
      return statisticsPerCpu(table);
  }
}

function ipVs(table: Table): string {
  const lines = table.services().flatMap((service) => [
    serviceLine(service),
    ...service.destinations.filter((it) => !it.absent).map(destinationLine),
  ]);
  return versionLine(table.connectionSlots) +
    "Prot LocalAddress:Port Scheduler Flags\n" +
    "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n" +
    lines.map((line) => `${line}\n`).join("");
}

function serviceLine(service: ServiceRow): string {
  const { key, scheduler, persistentSeconds } = service;
  const ops = service.onePacket ? "ops " : "";
  const head = "mark" in key
    ? `FWM  ${hex(key.mark, 8)} ${scheduler} ${ops}`
    : key.address.family === 6
    ? `${protocolText(key.protocol)}  [${hexAddress(key.address)}]:${hex(key.port, 4)} ${scheduler} `
    : `${protocolText(key.protocol)}  ${hexAddress(key.address)}:${hex(key.port, 4)} ${scheduler} ${ops} `;
  if (persistentSeconds === undefined) return head;
  return `${head}persistent ${persistentSeconds * TICKS} ${hex(kernelMask(service), 8)}`;
}

/** A prefix length is shown as if it were an address: bytes the other way round. */
function kernelMask({ key, netmask }: ServiceRow): number {
  return familyOf(key) === 6 ? (netmask << 24) >>> 0 : netmask;
}

function destinationLine({ address, port, ...row }: DestinationRow): string {
  const host = address.family === 6 ? `[${hexAddress(address)}]` : hexAddress(address);
  const cells = [
    METHOD_TEXT[row.method].padEnd(7),
    String(row.effectiveWeight).padEnd(6),
    String(row.activeConns).padEnd(10),
    String(row.inactiveConns).padEnd(10),
  ];
  return `  -> ${host}:${hex(port, 4)}      ${cells.join(" ")}`;
}

function connections(table: Table, withOrigin: boolean): string {
  const title = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       ";
  const lines = [title + (withOrigin ? "Origin Expires" : "Expires PEName PEData")];
  for (const row of table.connections()) lines.push(connectionLine(row, withOrigin));
  return lines.map((line) => `${line}\n`).join("");
}

function connectionLine(row: ConnectionRow, withOrigin: boolean): string {
  const ends = [row.client, row.virtual, row.destination]
    .map(({ address, port }) => `${hexAddress(address)} ${hex(port, 4)}`);
  const seconds = String(Math.floor(row.expiresMs / 1_000)).padStart(7);
  // Everything here was seen by this director: no sync daemon told it.
  const origin = withOrigin ? `${"LOCAL".padEnd(6)} ` : "";
  const { persistenceEngine, persistenceData } = row;
  const engine = withOrigin || persistenceEngine === undefined
    ? ""
    : ` ${persistenceEngine} ${persistenceData}`;
  return `${connectionProtocol(row.protocol).padEnd(3)} ${ends.join(" ")} ${row.state.padEnd(11)} ` +
    `${origin}${seconds}${engine}`;
}

function statistics(table: Table): string {
  const { totals, rates } = table.totals();
  return "   Total Incoming Outgoing         Incoming         Outgoing\n" +
    "   Conns  Packets  Packets            Bytes            Bytes\n" +
    `${numbers(totals)}\n\n` +
    " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n" +
    `${numbers(rates)}\n`;
}

/** The counters of all threads are shown as one processor's. */
function statisticsPerCpu(table: Table): string {
  const { totals, rates } = table.totals();
  return "       Total Incoming Outgoing         Incoming         Outgoing\n" +
    "CPU    Conns  Packets  Packets            Bytes            Bytes\n" +
    `  0 ${numbers(totals)}\n` +
    `  ~ ${numbers(totals)}\n\n` +
    "     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n" +
    `    ${numbers(rates)}\n`;
}

function numbers(of: Numbers): string {
  const packets = [of.connections, of.inPackets, of.outPackets].map((it) => blankHex(it, 8));
  return [...packets, blankHex(of.inBytes, 16), blankHex(of.outBytes, 16)].join(" ");
}

function blankHex(number: number, width: number): string {
  return Math.trunc(number).toString(16).toUpperCase().padStart(width);
}

function hex(number: number, width: number): string {
  return number.toString(16).toUpperCase().padStart(width, "0");
}

function hexAddress({ family, words }: IpAddress): string {
  if (family === 4) return hex(words[0] ?? 0, 8);
  const groups = [...words].flatMap((word) => [word >>> 16, word & 0xffff]);
  return groups.map((group) => group.toString(16).padStart(4, "0")).join(":");
}
