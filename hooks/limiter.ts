/**
 * Token buckets: one for a rule (xt_limit) or one for each source (xt_hashlimit).
 *
 * Credit is counted in packets x period, so that whole milliseconds and whole rates stay exact: a millisecond earns
 * `rate`, a packet costs `periodMs`, and the bucket holds `burst` packets. The kernel does the same in jiffies.
 *
 * @module
 */
import type { Family } from "../net/address.ts";
import type { Limit } from "./rule.ts";
import { SourceTable } from "./source_table.ts";

/** Decides whether a packet is within its limit. */
export class Limiter {
  readonly #limit: Limit;
  readonly #full: number;
  /** Credit and time of the one bucket. */
  readonly #bucket: Float64Array;
  readonly #sources: SourceTable | undefined;
  /** Prefix length of each family, where there is a bucket for each source. */
  readonly #ipv4: number;
  readonly #ipv6: number;

  /**
   * @param mostSources sources remembered at once; the least recently seen one gives way and begins anew
   * @param seed of the table's hash, so that nobody can aim at one of its chains
   */
  constructor(limit: Limit, mostSources: number, seed: number) {
    this.#limit = limit;
    this.#full = limit.burst * limit.periodMs;
    this.#bucket = Float64Array.of(this.#full, 0);
    this.#sources = limit.perSource === undefined ? undefined : new SourceTable(mostSources, seed);
    this.#ipv4 = limit.perSource?.ipv4 ?? 0;
    this.#ipv6 = limit.perSource?.ipv6 ?? 0;
  }

  /** Sources that have a bucket now. */
  get sources(): number {
    return this.#sources?.size ?? 0;
  }

  /**
   * Whether a packet is within the limit.
   *
   * @param take false only asks: no token is taken, no source remembered
   */
  within(family: Family, source: Uint32Array, nowMs: number, take: boolean): boolean {
    if (this.#sources === undefined) return this.#draw(this.#bucket, 0, nowMs, take);
    const bits = family === 4 ? this.#ipv4 : this.#ipv6;
    let slot = this.#sources.find(family, source, bits);
    if (slot < 0) {
      if (!take) return true;
      slot = this.#sources.add(family, source, bits);
      this.#sources.values[slot * 2] = this.#full;
      this.#sources.values[slot * 2 + 1] = nowMs;
    } else if (take) this.#sources.touch(slot);
    return this.#draw(this.#sources.values, slot * 2, nowMs, take);
  }

  #draw(buckets: Float64Array, at: number, nowMs: number, take: boolean): boolean {
    const { rate, periodMs } = this.#limit;
    const elapsedMs = Math.max(0, nowMs - (buckets[at + 1] ?? 0));
    const credit = Math.min(this.#full, (buckets[at] ?? 0) + elapsedMs * rate);
    const isWithin = credit >= periodMs;
    if (take) {
      buckets[at] = isWithin ? credit - periodMs : credit;
      buckets[at + 1] = nowMs;
    }
    return isWithin;
  }
}
