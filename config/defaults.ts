/**
 * What a config has that says nothing else, in the words of a file. The schema says it to those who read a file or the
 * reference; options on a command line take it from here.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";

export const ADMIN_LISTEN = "127.0.0.1:9180";

export const WORKERS = "auto";

/** How records may be written. */
export const LOG_FORMATS = ["text", "json"] as const;

export const LOG = { format: "text", level: "info", connections: true } as const;

/** `ipvsadm --set` of a fresh kernel. */
export const TIMEOUTS = { tcp: "15m", tcpFin: "2m", udp: "5m" } as const;

export const DRAIN = { deadline: "30s", spread: "5s" } as const;

/** Live traffic as a witness. */
export const PASSIVE = { failures: 3, eject: "10s", maxEjectedPercent: 50 } as const;

export const SERVICE = {
  protocol: "tcp",
  scheduler: "wlc",
  mode: "nat",
  require: "any",
  onePacket: false,
  engine: "auto",
  connectTimeout: "5s",
  retries: 1,
  clientAddress: "none",
  whenFull: "queue",
  queueTimeout: "30s",
  maxSessions: LIMITS.udpSessionsPerService,
  onDown: "quiesce",
  whenAllDown: "refuse",
} as const;
