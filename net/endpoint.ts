/**
 * Address and port, and the host names that may stand in for an address.
 *
 * @module
 */
import { ValueError } from "../errors.ts";
import { IpAddress } from "./address.ts";

/** An address with a port. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

/** A host name with a port, still to be resolved. */
export interface NamedEndpoint {
  readonly host: string;
  readonly port: number;
}

/** What a person may write where an address and port is wanted. */
export type EndpointText = Endpoint | NamedEndpoint;

/** Whether the endpoint still needs a name lookup. */
export function isNamed(endpoint: EndpointText): endpoint is NamedEndpoint {
  return "host" in endpoint;
}

/**
 * Parses `127.0.0.1:8080`, `[::1]:8080`, `:8080` (every address, IPv6 and IPv4) and `name.example:8080`.
 *
 * @param text what the person wrote
 * @param options `defaultPort`: port when none is written; without it the port is required. Port 0 is allowed
 * (any port, as in LVS); the caller refuses it where it makes no sense.
 * @throws {ValueError} `ENDPOINT_INVALID`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(formatEndpoint(parseEndpoint("[::1]:53")), "[::1]:53");
 * assert.equal(formatEndpoint(parseEndpoint(":8080")), "[::]:8080");
 * assert.equal(formatEndpoint(parseEndpoint("db.internal", { defaultPort: 5432 })), "db.internal:5432");
 * ```
 */
export function parseEndpoint(text: string, options: { defaultPort?: number } = {}): EndpointText {
  const { host, port: portText } = splitHostPort(text);
  const port = portText === undefined ? options.defaultPort : parsePort(portText);
  if (host === undefined || port === undefined) throw invalid(text);
  if (host === "" || host === "*") {
    if (portText === undefined) throw invalid(text);
    return { address: new IpAddress(6, new Uint32Array(4)), port };
  }
  const address = IpAddress.tryParse(host);
  if (address !== undefined) return { address, port };
  if (!isHostName(host)) throw invalid(text);
  return { host, port };
}

/** Text that {@linkcode parseEndpoint} reads back. */
export function formatEndpoint(endpoint: EndpointText): string {
  if (isNamed(endpoint)) return `${endpoint.host}:${endpoint.port}`;
  const { address, port } = endpoint;
  return address.family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

function splitHostPort(text: string): { host?: string; port?: string } {
  if (text.startsWith("[")) {
    const match = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
    if (match === null || !(match[1] ?? "").includes(":")) return {};
    return match[2] === undefined ? { host: match[1] ?? "" } : { host: match[1] ?? "", port: match[2] };
  }
  const first = text.indexOf(":");
  if (first < 0) return { host: text };
  // More than one colon and no brackets: an IPv6 address without a port.
  if (text.indexOf(":", first + 1) >= 0) return { host: text };
  return { host: text.slice(0, first), port: text.slice(first + 1) };
}

function parsePort(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

/** RFC 1123 labels, underscores allowed (container names have them); a name of digits and dots is a mistyped address. */
function isHostName(text: string): boolean {
  return text.length <= 253 && !/^[\d.]+$/.test(text) &&
    /^(?!-)[A-Za-z0-9_-]{1,63}(\.(?!-)[A-Za-z0-9_-]{1,63})*\.?$/.test(text);
}

function invalid(text: string): ValueError {
  return new ValueError(
    "ENDPOINT_INVALID",
    `"${text}" is not an address with a port; write 127.0.0.1:8080, [::1]:8080, :8080 or name:8080`,
    { value: text },
  );
}
