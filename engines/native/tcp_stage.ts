/**
 * The life of a proxied connection.
 *
 * @module
 */

/** How far a connection has come. */
export const STAGE = {
  /** The record waits for its next connection. */
  over: 0,
  /** Accepted, neither read nor scheduled: `maxConnections`. */
  held: 1,
  /** A PROXY header is awaited. */
  header: 2,
  /** Whether the rules let it in is being asked. */
  judging: 6,
  /** Whether its target is one of our own listeners is being asked. */
  asking: 3,
  connecting: 4,
  flowing: 5,
} as const;
export type Stage = typeof STAGE[keyof typeof STAGE];
