/**
 * What the codes of socket errors mean for a connection.
 *
 * @module
 */
import type { EndReason } from "../engine.ts";

const REASON_OF_CONNECT: Readonly<Record<string, EndReason>> = {
  ECONNREFUSED: "connect-refused",
  ETIMEDOUT: "connect-timeout",
};

/** Why a connect to a destination failed. */
export function connectFailure(code: string): EndReason {
  return REASON_OF_CONNECT[code] ?? "connect-failed";
}

const SHORTAGES: Readonly<Record<string, string>> = {
  EMFILE: "no file descriptor is left; raise the limit (ulimit -n)",
  ENFILE: "the host has no file descriptor left; raise fs.file-max",
  ENOBUFS: "the host has no socket memory left",
  ENOMEM: "the host has no socket memory left",
  EAFNOSUPPORT:
    "the host has no such IP version, or clientAddress: transparent met a real server of another one than its client's",
  EADDRNOTAVAIL:
    "no local port is left for this destination; widen net.ipv4.ip_local_port_range or add destinations",
};

/** A connect failed for want of something on this host: not the destination's fault. */
export function ownShortage(code: string): string | undefined {
  return SHORTAGES[code];
}

const BROKEN_OFF = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "ENOTCONN", "ESHUTDOWN"]);

/** Whether an established connection was broken off by its peer. */
export function isReset(code: string): boolean {
  return BROKEN_OFF.has(code);
}
