/**
 * Every scheduler written a second time, slowly and plainly, straight from its description: lists are arrays, numbers are
 * BigInt, nothing is remembered but what the description names.
 *
 * @module
 */
import { NO_DESTINATION, type Scheduler } from "../../../schedulers/scheduler.ts";
import type { Server, Service } from "./service.ts";

/** A server with its handle. */
export type Seen = Server & { readonly handle: number };

/** The plain form of a scheduler. `list` is in list order, newest first. */
export interface Twin {
  /** After any change of the list or of a server; `gone` and `before`: the handle that left, and the list it left. */
  changed(list: readonly Seen[], gone?: number, before?: readonly Seen[]): void;
  pick(list: readonly Seen[], client: { readonly words: Uint32Array; readonly port: number }): number;
}

/** The service's list as a twin sees it. */
export function listOf(service: Service): Seen[] {
  return service.handles.map((handle) => ({ ...service.server(handle), handle }));
}

/** Makes the twin of a scheduler for a service with these flags. */
export function makeTwin(scheduler: Scheduler, flags: number): Twin {
  const make = TWINS[scheduler.name];
  if (make === undefined) throw new Error(`write a twin for the scheduler ${scheduler.name}`);
  return make(flags);
}

const TWINS: Readonly<Record<string, (flags: number) => Twin>> = {
  rr: () => new RoundRobin(),
  wrr: () => new WeightedRoundRobin(),
  lc: () => smallest((it) => BigInt.asUintN(32, load(it)), () => 1n),
  wlc: () => smallest(load, (it) => BigInt(it.weight)),
  sh: (flags) => new SourceHashing(flags),
};

const usable = (it: Seen): boolean => it.weight > 0 && !it.overloaded;
const load = (it: Seen): bigint => 256n * BigInt(it.activeConns) + BigInt(it.inactiveConns);

class RoundRobin implements Twin {
  #last = NO_DESTINATION;

  changed(_list: readonly Seen[], gone?: number, before: readonly Seen[] = []): void {
    if (gone !== this.#last || gone === undefined) return;
    this.#last = before[before.findIndex((it) => it.handle === gone) - 1]?.handle ?? NO_DESTINATION;
  }

  pick(list: readonly Seen[]): number {
    const after = list.findIndex((it) => it.handle === this.#last) + 1;
    const chosen = [...list.slice(after), ...list.slice(0, after)].find(usable);
    if (chosen !== undefined) this.#last = chosen.handle;
    return chosen?.handle ?? NO_DESTINATION;
  }
}

class WeightedRoundRobin implements Twin {
  #cursor = -1;
  #level = 0;
  #top = 0;
  #step = 1;

  changed(list: readonly Seen[]): void {
    const weights = list.map((it) => it.weight).filter((weight) => weight > 0);
    this.#step = weights.reduce((a, b) => gcd(a, b), 0) || 1;
    this.#top = Math.max(0, ...weights) - (this.#step - 1);
    this.#cursor = -1;
    if (this.#level > this.#top || this.#level === 0) this.#level = this.#top;
    else if (this.#step > 1) this.#level = Math.floor(this.#level / this.#step) * this.#step + 1;
  }

  /** Reference section 2, lap by lap. */
  pick(list: readonly Seen[]): number {
    if (this.#top === 0) return NO_DESTINATION;
    const start = this.#cursor;
    let stop: number | undefined;
    let isLastPass = false;
    let hasRestarted = false;
    for (let from = start + 1;; from = 0) {
      for (const [index, it] of list.entries()) {
        if (index < from) continue;
        if (!it.overloaded && it.weight >= this.#level) {
          this.#cursor = index;
          return it.handle;
        }
        if (index === stop) {
          this.#cursor = index;
          return NO_DESTINATION;
        }
      }
      this.#level -= this.#step;
      if (this.#level <= 0) {
        this.#level = this.#top;
        if (isLastPass || start === -1) {
          this.#cursor = -1;
          return NO_DESTINATION;
        }
        hasRestarted = true;
      }
      isLastPass = this.#level <= this.#step;
      if (isLastPass && hasRestarted && start !== -1) stop = start;
    }
  }
}

/** The smallest load for its weight, the first of equals. */
function smallest(loadOf: (it: Seen) => bigint, weightOf: (it: Seen) => bigint): Twin {
  const isLess = (a: Seen, b: Seen) => loadOf(a) * weightOf(b) < loadOf(b) * weightOf(a);
  return {
    changed() {},
    pick(list) {
      const candidates = list.filter(usable);
      return candidates.find((it) => !candidates.some((other) => isLess(other, it)))?.handle ??
        NO_DESTINATION;
    },
  };
}

class SourceHashing implements Twin {
  readonly #fallback: boolean;
  readonly #port: boolean;

  constructor(flags: number) {
    this.#fallback = (flags & 0x08) !== 0;
    this.#port = (flags & 0x10) !== 0;
  }

  changed(): void {}

  pick(list: readonly Seen[], client: { readonly words: Uint32Array; readonly port: number }): number {
    const lap = list.flatMap((it) => new Array<Seen>(Math.min(256, Math.max(1, it.weight))).fill(it));
    const table = Array.from({ length: 256 }, (_, i) => lap[i % lap.length]);
    const address = client.words.reduce((sum, word) => sum ^ BigInt(word), 0n);
    const key = BigInt.asUintN(32, address + (this.#port ? BigInt(client.port) : 0n));
    const hash = Number(BigInt.asUintN(32, key * 0x61c88647n) >> 24n);
    const probes = this.#fallback ? Array.from({ length: 256 }, (_, i) => 2 * hash + i) : [];
    const found = [hash, ...probes].map((i) => table[i % 256]).find((it) => it !== undefined && usable(it));
    return found?.handle ?? NO_DESTINATION;
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
