/**
 * Connections as a recording lists them.
 *
 * @module
 */
import type { ConnectionRow } from "../../ipvsadm/table.ts";
import { readIpv6 } from "../../ipvsadm/values.ts";
import { IpAddress } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { PROTOCOL } from "../../net/flow.ts";

const PROTOCOLS: Readonly<Record<string, number>> = {
  TCP: PROTOCOL.tcp,
  UDP: PROTOCOL.udp,
  SCTP: PROTOCOL.sctp,
};

/**
 * Rows of `-Lcn` or of the kernel's own view; `known` when the listing has names, from which nothing can be read. The
 * origin of a connection and the data of a persistence engine are not in every listing: `known` has them then.
 */
export function readConnections(text: string, known: readonly ConnectionRow[]): readonly ConnectionRow[] {
  const lines = text.trimEnd().split("\n").filter((it) => /^(TCP|UDP|SCTP|IP) /.test(it));
  const rows = lines.map((line) => readHexRow(line) ?? readRow(line));
  const isReadable = rows.every((it) => it !== undefined);
  return isReadable ? rows : known;
}

/** The first row that only one of two listings has; times count only where both were printed from the same rows. */
export function connectionSet(own: string, recorded: string): string | undefined {
  const rowsOf = (text: string) => new Set(text.trimEnd().split("\n").map(withoutTime));
  const [mine, theirs] = [rowsOf(own), rowsOf(recorded)];
  const missing = [...theirs].find((row) => !mine.has(row));
  if (missing !== undefined) return `this row is missing: ${missing}`;
  const extra = [...mine].find((row) => !theirs.has(row));
  return extra === undefined ? undefined : `this row is not in the recording: ${extra}`;
}

function withoutTime(row: string): string {
  return row.replace(/\b\d\d:\d\d\b/, "..:..");
}

function readRow(line: string): ConnectionRow | undefined {
  const [protocol = "", expiry = "", state = "", client, virtual, destination, engine, data] = line.split(
    / +/,
  );
  const [minutes = 0, seconds = 0] = expiry.split(":").map(Number);
  const ends = [client, virtual, destination].map((it) => readEndpoint(it ?? ""));
  return row({ protocol, state, seconds: minutes * 60 + seconds, ends, engine, data });
}

function readHexRow(line: string): ConnectionRow | undefined {
  const [protocol = "", ...cells] = line.split(/ +/);
  if (!/^([0-9A-F]{8}|([0-9a-f]{4}:){7}[0-9a-f]{4})$/.test(cells[0] ?? "")) return undefined;
  const ends = [0, 2, 4].map((i) => readHexEndpoint(cells[i] ?? "", cells[i + 1] ?? ""));
  const [state = "", ...rest] = cells.slice(6);
  const [time = "", engine, data] = /^\D/.test(rest[0] ?? "") ? rest.slice(1) : rest;
  return row({ protocol, state, seconds: Number(time), ends, engine, data });
}

function row(read: {
  readonly protocol: string;
  readonly state: string;
  readonly seconds: number;
  readonly ends: readonly (Endpoint | undefined)[];
  readonly engine: string | undefined;
  readonly data: string | undefined;
}): ConnectionRow | undefined {
  const { state, seconds, engine, data } = read;
  const [client, virtual, destination] = read.ends;
  if (client === undefined || virtual === undefined || destination === undefined) return undefined;
  return {
    isTemplate: client.port === 0,
    protocol: PROTOCOLS[read.protocol] ?? 0,
    client,
    virtual,
    destination,
    state,
    expiresMs: seconds * 1_000,
    ...(engine === undefined ? {} : { persistenceEngine: engine, persistenceData: data ?? "" }),
  };
}

function readEndpoint(text: string): Endpoint | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const address = bracketed === undefined ? IpAddress.tryParse(plain ?? "") : readIpv6(bracketed);
  return address === undefined ? undefined : { address, port: Number(port) };
}

function readHexEndpoint(host: string, port: string): Endpoint | undefined {
  const address = host.includes(":") ? readIpv6(host) : IpAddress.ipv4(parseInt(host, 16));
  return address === undefined ? undefined : { address, port: parseInt(port, 16) };
}
