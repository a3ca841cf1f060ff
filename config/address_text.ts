/**
 * Reads addresses as people write them in a config, and tells what is wrong with one that does not parse.
 *
 * @module
 */
import { ValueError } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import { type Endpoint, type EndpointText, isNamed, parseEndpoint } from "../net/endpoint.ts";
import { Prefix } from "../net/prefix.ts";
import { shown } from "./shown.ts";

/** Address of a real server: the port may be left out and is then the service's. */
export interface ServerAddress {
  readonly endpoint: EndpointText;
  /** False: `endpoint.port` is 0 and stands for the port of the service. */
  readonly hasPort: boolean;
}

/** Addresses that one host cannot have: multicast, reserved and broadcast. */
const NOT_UNICAST: readonly Prefix[] = [Prefix.parse("224.0.0.0/3"), Prefix.parse("ff00::/8")];

/**
 * @throws {ValueError} `ADDRESS_INVALID`, `PORT_INVALID`, `ADDRESS_IS_NAME`, `ADDRESS_NOT_UNICAST`
 */
export function parseListen(text: string): Endpoint {
  const endpoint = parseWithPort(text);
  if (isNamed(endpoint)) {
    const wish = endpoint.host === "localhost" ? `127.0.0.1:${endpoint.port}` : "its address";
    throw new ValueError(
      "ADDRESS_IS_NAME",
      `${shown(text)} is a host name; a service listens on an address: write ${wish}`,
    );
  }
  refuseNotUnicast(text, endpoint.address);
  return endpoint;
}

/**
 * @throws {ValueError} `ADDRESS_INVALID`, `PORT_INVALID`, `ADDRESS_EVERY`, `ADDRESS_NOT_UNICAST`
 */
export function parseServer(text: string): ServerAddress {
  const endpoint = parseOptionalPort(text);
  const hasPort = endpoint.port !== undefined;
  if (endpoint.port === 0) {
    throw new ValueError("PORT_INVALID", `${shown(text)}: no real server listens on port 0`);
  }
  const port = endpoint.port ?? 0;
  if ("host" in endpoint) {
    return { endpoint: { host: endpoint.host.toLowerCase().replace(/\.$/, ""), port }, hasPort };
  }
  const { address } = endpoint;
  if (address.isUnspecified) {
    const wish = address.family === 4 ? "127.0.0.1" : "127.0.0.1 or [::1]";
    throw new ValueError("ADDRESS_EVERY", `${shown(text)} names no host; for this machine write ${wish}`);
  }
  refuseNotUnicast(text, address);
  return { endpoint: { address, port }, hasPort };
}

function refuseNotUnicast(text: string, address: IpAddress): void {
  if (!NOT_UNICAST.some((it) => it.contains(address))) return;
  throw new ValueError("ADDRESS_NOT_UNICAST", `${shown(text)} is not the address of one host (unicast)`);
}

function parseWithPort(text: string): EndpointText {
  const { port, ...place } = parseOptionalPort(text);
  if (port !== undefined) return { ...place, port };
  const wish = withBrackets(text) ??
    (text.includes(":") && !text.startsWith("[") ? `[${text}]:8080` : `${text}:8080`);
  throw new ValueError("PORT_INVALID", `${shown(text)} has no port; write for example "${wish}"`);
}

/** `[::1]:8080` for `::1:8080`, which is an address without a port. */
function withBrackets(text: string): string | undefined {
  const [, host = "", port] = /^([0-9a-f:.]*:[0-9a-f:.]*):(\d{2,5})$/i.exec(text) ?? [];
  return port === undefined || IpAddress.tryParse(host) === undefined ? undefined : `[${host}]:${port}`;
}

type Place = ({ readonly address: IpAddress } | { readonly host: string }) & { readonly port?: number };

/** `parseEndpoint` with a port that may be missing, and with the likely reason when nothing fits. */
function parseOptionalPort(text: string): Place {
  // No port can be 65,536, so it tells a port that was filled in from one that was written.
  const unwritten = 65_536;
  try {
    const { port, ...place } = parseEndpoint(text, { defaultPort: unwritten });
    return port === unwritten ? place : { ...place, port };
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError("ADDRESS_INVALID", `${shown(text)} ${reasonFor(text)}`, { value: text }, error);
  }
}

function reasonFor(text: string): string {
  if (text.trim() === "") return "is empty; write for example 127.0.0.1:8080";
  const trimmed = text.trim();
  if (/^[a-z]+:\/\//i.test(trimmed)) {
    const host = /^[a-z]+:\/\/([^/]*)/i.exec(trimmed)?.[1] ?? "";
    return `is a URL; write the address and port alone: "${host === "" ? "127.0.0.1:8080" : host}"`;
  }
  if (/[\s,]/.test(text)) return "has a space or comma in it; one address, or a list of them, is wanted";
  if (text.includes("%")) return "has a zone (%...), which lvsd does not support; use an address without one";
  const port = /^(?:\[[^\]]*\]|[^:]*):([^:]*)$/.exec(text)?.[1];
  if (port === "") return "has nothing after the colon; write the port there";
  if (port !== undefined && /^\d+$/.test(port) && Number(port) > 65_535) {
    return `has no possible port: ${port} is above 65535`;
  }
  if (port !== undefined && !/^\d+$/.test(port)) return `has no port number after the colon, but "${port}"`;
  const host = port === undefined ? text : text.slice(0, -port.length - 1);
  if (/^\d+$/.test(text)) return `is a number, not an address; write 127.0.0.1:${text}`;
  const bracketed = withBrackets(text);
  if (bracketed !== undefined) return `is not an IPv6 address; with a port it is written "${bracketed}"`;
  if (/^[\d.]+$/.test(host)) return "is not an IPv4 address: four numbers from 0 to 255 are wanted";
  if (/^\[?[0-9a-f:.]+\]?$/i.test(host) && host.includes(":")) return "is not an IPv6 address";
  return "is no address; write 127.0.0.1:8080, [::1]:8080 or name:8080";
}
