/**
 * What a forwarding method needs to know of a connection to change its packets.
 *
 * @module
 */
import type { Family } from "../net/address.ts";

/** Kernel's numbers of the forwarding methods. */
export const FORWARDING = { nat: 0, local: 1, tun: 2, dr: 3, bypass: 4 } as const;

/** One connection as its packets are changed. One object, refilled: copy what is kept. */
export class Translation {
  /** One of {@linkcode FORWARDING}; the one that the connection was made with. */
  method: number = FORWARDING.nat;
  /** Of client and virtual address. */
  family: Family = 4;
  /** Virtual address as words (see `IpAddress`). */
  readonly virtual: Uint32Array = new Uint32Array(4);
  virtualPort = 0;
  /** Of the real server; differs from `family` for tunnels only. */
  destinationFamily: Family = 4;
  readonly destination: Uint32Array = new Uint32Array(4);
  destinationPort = 0;
  /** See `packTunnel`. */
  tunnel = 0;
}
