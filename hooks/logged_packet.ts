/**
 * What a LOG rule says of a packet, as plain data that may cross threads.
 *
 * @module
 */
import { IpAddress } from "../net/address.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { NO_PORT, type PacketView } from "./packet_view.ts";
import type { Chain, LogLevel, Rule } from "./rule.ts";

/** One line of the log. */
export interface LoggedPacket {
  readonly level: LogLevel;
  readonly prefix: string;
  readonly chain: string;
  readonly protocol: string;
  /** With its port, if it has one. */
  readonly source: string;
  readonly destination: string;
  readonly bytes: number;
  /** `0x7` */
  readonly mark: string;
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: "icmp",
  6: "tcp",
  17: "udp",
  58: "icmpv6",
  132: "sctp",
};

/** The line of a rule that says LOG; undefined for any other. */
export function loggedPacket({ target }: Rule, chain: Chain, view: PacketView): LoggedPacket | undefined {
  if (target.kind !== "log") return undefined;
  const { family, source, sourcePort, destination, destinationPort, protocol, mark, bytes } = view;
  const side = (words: Uint32Array, port: number) => {
    const address = new IpAddress(family, words.slice());
    return port === NO_PORT ? String(address) : formatEndpoint({ address, port });
  };
  return {
    level: target.level,
    prefix: target.prefix,
    chain: chain.name,
    protocol: PROTOCOLS[protocol] ?? `protocol ${protocol}`,
    source: side(source, sourcePort),
    destination: side(destination, destinationPort),
    bytes,
    mark: `0x${mark.toString(16)}`,
  };
}
