/**
 * What the real server's end of tunnel sockets is made of.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Endpoint } from "../net/endpoint.ts";

/** What a peer is made of. */
export interface TunnelPeerOptions {
  /** TCP and UDP. */
  readonly listen: Endpoint;
  readonly key: Uint8Array;
  /** The server that it stands before. */
  readonly to: Endpoint;
  readonly clock: Clock;
  /** Who was refused and why; told at most once in `LIMITS.troubleSpacingMs`. */
  readonly refused: (message: string) => void;
}
