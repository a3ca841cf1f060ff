/**
 * The three encapsulations of the forwarding method TUN.
 *
 * @module
 */

/** Encapsulations of `ipvsadm --tun-type`, the default first. */
export const TUNNEL_TYPES = ["ipip", "gue", "gre"] as const;
export type TunnelType = typeof TUNNEL_TYPES[number];

/** `--tun-nocsum`, `--tun-csum`, `--tun-remcsum`. */
export const TUNNEL_CHECKSUMS = ["nocsum", "csum", "remcsum"] as const;
export type TunnelChecksum = typeof TUNNEL_CHECKSUMS[number];

/** What carries a packet to a tunnelling destination. */
export interface Tunnel {
  readonly type: TunnelType;
  /** UDP port of GUE, else 0. */
  readonly port: number;
  readonly checksum: TunnelChecksum;
}

/** The tunnel of a destination for which none was asked. */
export const PLAIN_TUNNEL: Tunnel = { type: "ipip", port: 0, checksum: "nocsum" };

const NUMBERS = { type: 0x3, checksum: 0x3, checksumShift: 4, portShift: 16 } as const;

/** A tunnel as one word of the store; 0 is a plain one. */
export function packTunnel({ type, port, checksum }: Tunnel): number {
  return TUNNEL_TYPES.indexOf(type) | (TUNNEL_CHECKSUMS.indexOf(checksum) << NUMBERS.checksumShift) |
    (port << NUMBERS.portShift);
}

/** The other way round. */
export function unpackTunnel(word: number): Tunnel {
  return {
    type: TUNNEL_TYPES[tunnelTypeOf(word)] ?? "ipip",
    port: tunnelPortOf(word),
    checksum: TUNNEL_CHECKSUMS[tunnelChecksumOf(word)] ?? "nocsum",
  };
}

/** Index in {@linkcode TUNNEL_TYPES}. */
export function tunnelTypeOf(word: number): number {
  return word & NUMBERS.type;
}

/** Index in {@linkcode TUNNEL_CHECKSUMS}. */
export function tunnelChecksumOf(word: number): number {
  return (word >>> NUMBERS.checksumShift) & NUMBERS.checksum;
}

export function tunnelPortOf(word: number): number {
  return word >>> NUMBERS.portShift;
}
