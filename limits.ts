/**
 * Every limit of lvsd: its name, unit and reason. Memory is bounded by these and by nothing else.
 *
 * @module
 */

export const LIMITS = {
  /** Virtual services in one director. The kernel has no limit; 4,096 keeps the shared store at a few MiB. */
  services: 4_096,
  /** Destinations over all services, those in the trash included. */
  destinations: 65_536,
  /** Connection entries of one worker, ended ones included: 2^18 covers 2,000 new connections/s for the 120 s of TIME_WAIT. */
  connectionEntries: 262_144,
  /** Persistence templates over all services. */
  persistenceTemplates: 65_536,

  /** Kernel accept queue of one TCP listener; Linux caps it by net.core.somaxconn (4,096). */
  tcpBacklogConnections: 4_096,
  /** Bytes one direction of a TCP connection may hold while the peer is slow, before lvsd stops reading. */
  relayBufferBytes: 65_536,
  /** Live UDP sessions of one service: each holds one descriptor. The least recently used one goes first. */
  udpSessionsPerService: 8_192,
  /** Largest UDP payload over IPv4: 65,535 - 20 (IP) - 8 (UDP). */
  udpPayloadBytes: 65_507,
  /** Largest PROXY header accepted: v2 has a 16-bit length, real ones stay far below; v1 is 107 by specification. */
  proxyHeaderBytes: 4_096,
  /** Wait for a PROXY header that was promised, milliseconds; HAProxy's usual `timeout client-hs` scale. */
  proxyHeaderWaitMs: 3_000,
  /** Pause of accept after the process ran out of descriptors, milliseconds. */
  acceptBackOffMs: 100,

  /** Size of a config file. A real one has kilobytes; 8 MiB stops a mistaken path such as a log file. */
  configFileBytes: 8 * 1_024 * 1_024,
  /** Bytes of a health check's answer that are read and searched. */
  healthAnswerBytes: 65_536,
  /** Past health changes kept for each destination. */
  healthHistoryEntries: 32,
  /** Body of one request to the admin API. */
  adminBodyBytes: 1_024 * 1_024,
  /** Log records waiting for a slow reader of the log; more are dropped and counted. */
  logQueueRecords: 8_192,
} as const;
