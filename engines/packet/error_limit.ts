/**
 * How many ICMP errors one client, and all clients together, get: the kernel's `inet_peer_xrlim_allow` and
 * `icmp_global_allow`.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import { type Family, formatAddress } from "../../net/address.ts";

/** `XRLIM_BURST_FACTOR`: errors that may follow each other at once. */
const BURST = 6;
/** `icmp_msgs_per_sec` and `icmp_msgs_burst`. */
const GLOBAL = { perSecond: 1_000, burst: 50 } as const;

interface Peer {
  /** Milliseconds saved up; one error costs the interval. */
  tokensMs: number;
  lastMs: number;
}

/** Token buckets by client address. */
export class ErrorLimit {
  readonly #peers = new Map<string, Peer>();
  #globalTokens: number = GLOBAL.burst;
  #globalMs = -Infinity;

  /** Whether an error may go to this address now; `intervalMs` apart, after a burst of six. */
  allow(family: Family, address: Uint32Array, intervalMs: number, nowMs: number): boolean {
    return this.#allowAny(nowMs) && this.#allowPeer(formatAddress(family, address), intervalMs, nowMs);
  }

  #allowAny(nowMs: number): boolean {
    const grown = this.#globalTokens + (nowMs - this.#globalMs) * GLOBAL.perSecond / 1_000;
    this.#globalTokens = Math.min(GLOBAL.burst, Number.isFinite(grown) ? grown : GLOBAL.burst);
    this.#globalMs = nowMs;
    if (this.#globalTokens < 1) return false;
    this.#globalTokens--;
    return true;
  }

  #allowPeer(key: string, intervalMs: number, nowMs: number): boolean {
    const peer = this.#peers.get(key);
    const mostMs = BURST * intervalMs;
    const tokensMs = peer === undefined ? mostMs : Math.min(mostMs, peer.tokensMs + nowMs - peer.lastMs);
    const isAllowed = tokensMs >= intervalMs;
    // Set again, so that the map's order is that of the last use.
    this.#peers.delete(key);
    this.#peers.set(key, { tokensMs: isAllowed ? tokensMs - intervalMs : tokensMs, lastMs: nowMs });
    if (this.#peers.size > LIMITS.icmpPeers) this.#forgetOldest();
    return isAllowed;
  }

  #forgetOldest(): void {
    const oldest = this.#peers.keys().next();
    if (oldest.done !== true) this.#peers.delete(oldest.value);
  }
}
