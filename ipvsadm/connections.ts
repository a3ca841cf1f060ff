/**
 * `ipvsadm -Lc`: connections and templates.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";
import { PROTOCOL } from "../net/flow.ts";
import type { Names } from "./names.ts";
import { placeText } from "./place.ts";
import type { ConnectionRow } from "./table.ts";

const PROTOCOL_TEXT: Readonly<Record<number, string>> = {
  [PROTOCOL.tcp]: "TCP",
  [PROTOCOL.udp]: "UDP",
  [PROTOCOL.sctp]: "SCTP",
};

/** How the kernel names a protocol in its table of connections; templates of a mark have none of their own. */
export function connectionProtocol(protocol: number): string {
  return PROTOCOL_TEXT[protocol] ?? "IP";
}

/** Titles and rows; `withEngines` adds what a persistence engine keeps. */
export async function listConnections(
  connections: Iterable<ConnectionRow>,
  names: Names,
  withEngines: boolean,
): Promise<string> {
  const titles = "pro expire state       source             virtual            ";
  const lines = [
    "IPVS connection entries",
    withEngines
      ? `${titles}${"destination".padEnd(18)} ${"pe name".padEnd(16)} pe_data`
      : `${titles}destination`,
  ];
  for (const connection of connections) lines.push(await line(connection, names, withEngines));
  return lines.map((it) => `${it}\n`).join("");
}

async function line(row: ConnectionRow, names: Names, withEngine: boolean): Promise<string> {
  const place = ({ address, port }: Endpoint) => placeText(address, port, row.protocol, names);
  const destination = await place(row.destination);
  const head = [
    connectionProtocol(row.protocol).padEnd(3),
    expiry(row.expiresMs).padEnd(6),
    row.state.padEnd(11),
    (await place(row.client)).padEnd(18),
    (await place(row.virtual)).padEnd(18),
  ].join(" ");
  const { persistenceEngine: engine, persistenceData: data } = row;
  if (!withEngine || engine === undefined) return `${head} ${destination}`;
  // The tool's widths here are not those of its titles.
  return `${head} ${destination.padEnd(16)} ${engine.padEnd(18)} ${data}`;
}

function expiry(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1_000);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
}
