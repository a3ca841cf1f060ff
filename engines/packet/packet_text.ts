/**
 * Packets in words.
 *
 * @module
 */
import { IpAddress } from "../../net/address.ts";
import { formatEndpoint } from "../../net/endpoint.ts";
import { TCP_FLAG } from "../../net/flow.ts";
import type { IpPacket } from "../../packet/ip_packet.ts";
import { ICMP, IP_PROTOCOL } from "../../packet/transport.ts";
import { get16 } from "../../packet/bytes.ts";

const NAMES: Readonly<Record<number, string>> = {
  [IP_PROTOCOL.icmp]: "icmp",
  [IP_PROTOCOL.ipip]: "ipip",
  [IP_PROTOCOL.tcp]: "tcp",
  [IP_PROTOCOL.udp]: "udp",
  [IP_PROTOCOL.ipv6]: "ipv6-in-ip",
  [IP_PROTOCOL.gre]: "gre",
  [IP_PROTOCOL.icmpv6]: "icmpv6",
  [IP_PROTOCOL.sctp]: "sctp",
};

/** `tcp`, or the number of a protocol without a name here. */
export function protocolText(protocol: number): string {
  return NAMES[protocol] ?? `protocol ${protocol}`;
}

/** `tcp 10.1.0.10:40000 > 10.1.0.100:80 syn, 40 bytes, TTL 64, DF`. */
export function packetText(packet: IpPacket): string {
  const [source, destination] = [new Uint32Array(4), new Uint32Array(4)];
  packet.readSource(source);
  packet.readDestination(destination);
  const side = (words: Uint32Array, port: number) => {
    const address = new IpAddress(packet.family, words);
    return packet.hasPorts ? formatEndpoint({ address, port }) : String(address);
  };
  const words = [
    protocolText(packet.protocol),
    side(source, packet.sourcePort),
    ">",
    side(destination, packet.destinationPort),
    ...flagsOf(packet),
    ...errorOf(packet),
  ];
  const facts = [
    words.join(" "),
    `${packet.length} bytes`,
    `TTL ${packet.ttl}`,
    ...(packet.family === 4 && packet.dontFragment ? ["DF"] : []),
    ...(packet.isFragment ? [`fragment at ${packet.fragmentOffset}`] : []),
  ];
  return facts.join(", ");
}

function flagsOf({ protocol, tcpFlags }: IpPacket): string[] {
  if (protocol !== IP_PROTOCOL.tcp) return [];
  const names = Object.entries(TCP_FLAG).filter(([, bit]) => (tcpFlags & bit) !== 0).map(([name]) => name);
  return names.length === 0 ? [] : [names.join("+")];
}

/** Type and code, and the MTU of an error that tells one. */
function errorOf({ protocol, bytes, transport, end, fragmentOffset }: IpPacket): string[] {
  const isIcmp = protocol === IP_PROTOCOL.icmp || protocol === IP_PROTOCOL.icmpv6;
  if (!isIcmp || fragmentOffset !== 0 || transport + ICMP.nextHopMtu + 2 > end) return [];
  const [type = 0, code = 0] = bytes.subarray(transport, transport + 2);
  const isTooBig = protocol === IP_PROTOCOL.icmp ? type === 3 && code === 4 : type === 2;
  return [`type ${type} code ${code}${isTooBig ? ` MTU ${get16(bytes, transport + ICMP.nextHopMtu)}` : ""}`];
}
