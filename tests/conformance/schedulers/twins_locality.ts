/**
 * The plain twins of lblc and lblcr: a map from address to what is remembered, and a timer that is caught up with. The thinning out
 * above 16,384 addresses is left out.
 *
 * @module
 */
import { NO_DESTINATION } from "../../../schedulers/scheduler.ts";
import { type Call, load, pickSmallest, type Seen, type Twin, weight } from "./twin.ts";

const MINUTE_MS = 60_000;
const wlc = pickSmallest(load, weight);

/** More connections than the weight, and somebody less than half busy. */
const isOverrun = (it: Seen, list: readonly Seen[]): boolean =>
  it.activeConns > it.weight && list.some((other) => other.activeConns * 2 < other.weight);

/** What is remembered of an address. */
interface Entry {
  /** Newest first. */
  servers: number[];
  lastUseMs: number;
  changedMs: number;
}

abstract class Remembering implements Twin {
  readonly #entries = new Map<string, Entry>();
  #minutes = 0;
  #startMs: number | undefined;

  changed(): void {}

  pick(list: readonly Seen[], call: Call): number {
    this.#catchUp(call);
    const key = call.virtual.join();
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      const chosen = wlc(list);
      if (chosen === undefined) return NO_DESTINATION;
      const nowMs = call.nowMs;
      this.#entries.set(key, { servers: [chosen.handle], lastUseMs: nowMs, changedMs: nowMs });
      return chosen.handle;
    }
    entry.lastUseMs = call.nowMs;
    return this.pickKnown(entry, list, call);
  }

  protected abstract pickKnown(entry: Entry, list: readonly Seen[], call: Call): number;

  /** Every thirtieth minute after the first call those go that are too old by then. */
  #catchUp({ nowMs, expirationMs }: Call): void {
    const startMs = this.#startMs ??= nowMs;
    for (; startMs + (this.#minutes + 1) * MINUTE_MS <= nowMs; this.#minutes++) {
      if ((this.#minutes + 1) % 30 !== 0) continue;
      const atMs = startMs + (this.#minutes + 1) * MINUTE_MS;
      for (const [key, { lastUseMs }] of this.#entries) {
        if (atMs - lastUseMs >= expirationMs) this.#entries.delete(key);
      }
    }
  }
}

/** Reference section 5. */
export class Locality extends Remembering {
  protected pickKnown(entry: Entry, list: readonly Seen[]): number {
    const cached = list.find((it) => it.handle === entry.servers[0]);
    if (cached !== undefined && cached.weight > 0 && !isOverrun(cached, list)) return cached.handle;
    const chosen = wlc(list);
    if (chosen !== undefined) entry.servers = [chosen.handle];
    return chosen?.handle ?? NO_DESTINATION;
  }
}

/** Reference section 6. */
export class LocalityWithReplication extends Remembering {
  protected pickKnown(entry: Entry, list: readonly Seen[], { nowMs, expirationMs, server }: Call): number {
    const members = entry.servers.map(server);
    const least = wlc(members.filter((it) => it.available));
    if (members.length > 1 && nowMs > entry.changedMs + expirationMs) {
      const busy = members.filter((it) => it.weight > 0);
      const isMore = (a: Seen, b: Seen) => load(a) * weight(b) > load(b) * weight(a);
      const most = busy.find((it) => !busy.some((other) => isMore(other, it)));
      if (most !== undefined) {
        entry.servers = entry.servers.filter((it) => it !== most.handle);
        entry.changedMs = nowMs;
      }
    }
    if (least !== undefined && !isOverrun(least, list)) return least.handle;
    const chosen = wlc(list);
    if (chosen === undefined) return NO_DESTINATION;
    if (!entry.servers.includes(chosen.handle)) {
      entry.servers.unshift(chosen.handle);
      entry.changedMs = nowMs;
    }
    return chosen.handle;
  }
}
