/**
 * TCP (RFC 9293), UDP (RFC 768) and ICMP (RFC 792, 4443): where their fields begin.
 *
 * @module
 */

/** IP protocol numbers that headers name. */
export const IP_PROTOCOL = {
  icmp: 1,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  sctp: 132,
} as const;

export const TCP_BYTES = 20;
export const TCP = {
  sourcePort: 0,
  destinationPort: 2,
  sequence: 4,
  acknowledgement: 8,
  dataOffset: 12,
  flags: 13,
  checksum: 16,
} as const;

export const UDP_BYTES = 8;
export const UDP = { sourcePort: 0, destinationPort: 2, length: 4, checksum: 6 } as const;

export const SCTP_BYTES = 12;

export const ICMP_BYTES = 8;
export const ICMP = { type: 0, code: 1, checksum: 2, rest: 4, nextHopMtu: 6 } as const;

export const ICMP_TYPE = {
  echoReply: 0,
  destinationUnreachable: 3,
  sourceQuench: 4,
  redirect: 5,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;
/** Codes of destination unreachable. */
export const ICMP_UNREACHABLE = { net: 0, host: 1, protocol: 2, port: 3, fragmentationNeeded: 4 } as const;

export const ICMPV6_TYPE = {
  destinationUnreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
} as const;
/** Codes of destination unreachable. */
export const ICMPV6_UNREACHABLE = { noRoute: 0, prohibited: 1, address: 3, port: 4 } as const;

/** Whether an ICMP message of this type tells of an error, so that none may be sent about it. */
export function isIcmpError(type: number): boolean {
  return type === ICMP_TYPE.destinationUnreachable || type === ICMP_TYPE.sourceQuench ||
    type === ICMP_TYPE.redirect || type === ICMP_TYPE.timeExceeded || type === ICMP_TYPE.parameterProblem;
}

/** The same for ICMPv6. */
export function isIcmpv6Error(type: number): boolean {
  return type < 128;
}

/** Offset of a protocol's checksum in its header; -1 when it has none that lies over addresses and ports. */
export function checksumOffset(protocol: number): number {
  return protocol === IP_PROTOCOL.tcp ? TCP.checksum : protocol === IP_PROTOCOL.udp ? UDP.checksum : -1;
}
