/**
 * Protocols that a rule may name.
 *
 * @module
 */

/** IP protocols by the names of /etc/protocols. */
export const RULE_PROTOCOLS = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58, esp: 50, ah: 51 } as const;
