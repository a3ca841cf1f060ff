/**
 * Addresses with ports as the tool prints them, with names or without.
 *
 * @module
 */
import type { ServiceKey } from "../director/specs.ts";
import { IpAddress } from "../net/address.ts";
import { PROTOCOL } from "../net/flow.ts";
import { protocolName } from "./draft.ts";
import { bracketed, type Names } from "./names.ts";

/** The tool's buffer for an address with a port, without its closing zero. */
const PLACE_LENGTH = 59;
const OPTION_OF: Readonly<Record<number, string>> = {
  [PROTOCOL.tcp]: "-t",
  [PROTOCOL.udp]: "-u",
  [PROTOCOL.sctp]: "--sctp-service",
};
const PROTOCOL_TEXT: Readonly<Record<number, string>> = {
  [PROTOCOL.tcp]: "TCP",
  [PROTOCOL.udp]: "UDP",
  [PROTOCOL.sctp]: "SCTP",
};

/** `10.0.0.1:80`, or `web.example.net:http` when `names` knows them. */
export async function placeText(
  address: IpAddress,
  port: number,
  protocol: number,
  names: Names,
): Promise<string> {
  const host = await names.hostOf(address) ?? addressText(address);
  const name = protocolName(protocol);
  const service = name === undefined ? undefined : names.serviceOf(port, name);
  return `${bracketed(address.family, host)}:${service ?? port}`.slice(0, PLACE_LENGTH);
}

/** As `inet_ntop` writes it: the last half of an IPv6 address that has an IPv4 one inside is written as that. */
export function addressText(address: IpAddress): string {
  const [first = 0, second = 0, third = 0, last = 0] = address.words;
  if (address.family === 4 || first !== 0 || second !== 0) return String(address);
  if (third === 0xffff) return `::ffff:${IpAddress.ipv4(last)}`;
  return third === 0 && last >>> 16 !== 0 ? `::${IpAddress.ipv4(last)}` : String(address);
}

/** The protocol's name in a listing. */
export function protocolText(protocol: number): string {
  return PROTOCOL_TEXT[protocol] ?? "?";
}

/** `-t 10.0.0.1:80`, `-f 1 -6`: how a saved rule names its service. */
export async function serviceOption(key: ServiceKey, names: Names): Promise<string> {
  if ("mark" in key) return `-f ${key.mark | 0}${key.family === 6 ? " -6" : ""}`;
  const place = await placeText(key.address, key.port, key.protocol, names);
  return `${OPTION_OF[key.protocol] ?? "--xxx-service"} ${place}`;
}
