/**
 * `host[:port]` as the tool reads it, its oddities included: they are in scripts.
 *
 * @module
 */
import { IpAddress } from "../net/address.ts";
import type { Names, ServiceProtocol } from "./names.ts";
import { readIpv4, readIpv6, readNumber } from "./values.ts";

/** What was read; `port` is undefined where none was given. */
export interface ReadAddress {
  readonly address: IpAddress;
  readonly port?: number;
}

/**
 * Reads an address with an optional port or service name; undefined for what the tool refuses.
 *
 * The last colon divides, unless the whole text is an IPv6 address. Brackets want a port behind them, and around an
 * IPv4 address they lose it.
 *
 * @param protocol of the service, whose names of ports count; undefined: no names
 */
export async function readAddress(
  text: string,
  protocol: ServiceProtocol | undefined,
  names: Names,
): Promise<ReadAddress | undefined> {
  if (/^\d*$/.test(text)) return undefined;
  const bracketed = /^\[([^\]]*)\]:(.*)$/s.exec(text);
  if (text.startsWith("[") && bracketed === null) return undefined;
  const inner = bracketed?.[1] ?? text;
  const ipv6 = readIpv6(inner);
  if (ipv6 !== undefined) return withPort(ipv6, bracketed?.[2], protocol, names);
  const colon = bracketed === null ? inner.lastIndexOf(":") : -1;
  const host = colon < 0 ? inner : inner.slice(0, colon);
  const address = await readHost(host, names);
  if (address === undefined) return undefined;
  return withPort(address, colon < 0 ? undefined : inner.slice(colon + 1), protocol, names);
}

/** An IPv4 address in any form, or the first one of a host's name. */
export async function readHost(text: string, names: Names): Promise<IpAddress | undefined> {
  const word = readIpv4(text);
  if (word !== undefined) return IpAddress.ipv4(word);
  return text === "" ? undefined : await names.addressOf(text);
}

function withPort(
  address: IpAddress,
  text: string | undefined,
  protocol: ServiceProtocol | undefined,
  names: Names,
): ReadAddress | undefined {
  if (text === undefined) return { address };
  const port = readNumber(text, 0, 65_535) ??
    (protocol === undefined ? undefined : names.portOf(text, protocol));
  return port === undefined ? undefined : { address, port };
}
