/**
 * How long an entry lives after its last packet, by protocol and state; kept in the store.
 *
 * @module
 */
import { DirectorError } from "../errors.ts";
import { HEADER_TIME } from "./layout.ts";
import { SCTP_TIMEOUTS_MS } from "./sctp_states.ts";
import { TCP_STATE, TCP_STATES, TCP_TIMEOUTS_MS } from "./tcp_states.ts";

/** The three time-outs that `ipvsadm --set` changes. */
export interface Timeouts {
  /** ESTABLISHED, 900 s. */
  readonly tcpMs: number;
  /** FIN_WAIT, 120 s. */
  readonly tcpFinMs: number;
  /** UDP, 300 s. */
  readonly udpMs: number;
}

/** A new entry before its first packet moved its state: 3 s. */
export const NEW_ENTRY_TIMEOUT_MS = 3_000;
/** What a template gets when its time is up while connections still hang on it, for good: 60 s. */
export const EXTENSION_MS = 60_000;

/** Places in the store. */
export const TCP_TIMEOUT = HEADER_TIME.timeouts;
export const UDP_TIMEOUT = TCP_TIMEOUT + TCP_STATES.length;
export const SCTP_TIMEOUT = UDP_TIMEOUT + 1;

/** The kernel takes seconds up to INT_MAX / HZ, HZ being 250. */
const LONGEST_MS = Math.floor((2 ** 31 - 1) / 250) * 1_000;

/** Writes the defaults; once, when a store is new. */
export function resetTimeouts(times: Float64Array): void {
  times.set(TCP_TIMEOUTS_MS, TCP_TIMEOUT);
  times[UDP_TIMEOUT] = 300_000;
  times.set(SCTP_TIMEOUTS_MS, SCTP_TIMEOUT);
}

export function readTimeouts(times: Float64Array): Timeouts {
  return {
    tcpMs: times[TCP_TIMEOUT + TCP_STATE.established] ?? 0,
    tcpFinMs: times[TCP_TIMEOUT + TCP_STATE.finWait] ?? 0,
    udpMs: times[UDP_TIMEOUT] ?? 0,
  };
}

/**
 * Changes those that are given and not 0. Entries take the new value at their next packet.
 *
 * @throws {DirectorError} `EINVAL`, and nothing is changed, when one is negative or longer than 8,589,934 s.
 */
export function writeTimeouts(
  times: Float64Array,
  wanted: { readonly [name in keyof Timeouts]?: number | undefined },
): void {
  for (const [name, value] of Object.entries(wanted)) {
    if (value !== undefined && !(value >= 0 && value <= LONGEST_MS)) {
      throw new DirectorError("EINVAL", `${name} is 0 to ${LONGEST_MS} ms, not ${value}`, { name, value });
    }
  }
  if (wanted.tcpMs) times[TCP_TIMEOUT + TCP_STATE.established] = wanted.tcpMs;
  if (wanted.tcpFinMs) times[TCP_TIMEOUT + TCP_STATE.finWait] = wanted.tcpFinMs;
  if (wanted.udpMs) times[UDP_TIMEOUT] = wanted.udpMs;
}
