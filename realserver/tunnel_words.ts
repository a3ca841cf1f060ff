/**
 * What the tunnel's worker and its owner share.
 *
 * @module
 */

/** Words of the shared array. */
export const TUNNEL_WORD = { stop: 0, ready: 1, packets: 2, foreign: 3, malformed: 4 } as const;
export const TUNNEL_WORDS = 8;

/** What the worker starts with. */
export interface TunnelStart {
  /** {@linkcode TUNNEL_WORDS} words of shared memory. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** UDP port of GUE, 0 for none. */
  readonly port: number;
  readonly virtualAddresses: readonly string[];
}
