/**
 * What ICMP has told about the MTU of ways into the distance.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";

/** `net.ipv4.route.mtu_expires` and `min_pmtu`. */
const KEPT_MS = 600_000;
const LEAST_MTU = 552;

/** Learned MTUs of IPv4 destinations. */
export class PathMtus {
  readonly #known = new Map<number, { readonly mtu: number; readonly untilMs: number }>();

  /** Takes in an MTU for an address given as words; what holds now. */
  learn(address: Uint32Array, mtu: number, nowMs: number): number {
    const key = address[0] ?? 0;
    const known = Math.max(LEAST_MTU, mtu);
    this.#known.delete(key);
    this.#known.set(key, { mtu: known, untilMs: nowMs + KEPT_MS });
    if (this.#known.size > LIMITS.pathMtus) {
      const oldest = this.#known.keys().next();
      if (oldest.done !== true) this.#known.delete(oldest.value);
    }
    return known;
  }

  /** MTU of the way to an address whose first link has `linkMtu`. */
  of(address: Uint32Array, linkMtu: number, nowMs: number): number {
    if (this.#known.size === 0) return linkMtu;
    const known = this.#known.get(address[0] ?? 0);
    return known === undefined || known.untilMs <= nowMs ? linkMtu : Math.min(linkMtu, known.mtu);
  }
}
