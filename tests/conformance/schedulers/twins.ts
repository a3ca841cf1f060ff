/**
 * Every scheduler written a second time, slowly and plainly, straight from its description: lists are arrays, numbers are
 * BigInt, nothing is remembered but what the description names.
 *
 * @module
 */
import type { Random } from "../../../net/random.ts";
import { NO_DESTINATION, type Scheduler } from "../../../schedulers/scheduler.ts";
import { type Choose, load, pickSmallest, type Seen, type Twin, usable, weight } from "./twin.ts";
import { DestinationHashing, Maglev, SourceHashing } from "./twins_hashing.ts";
import { Locality, LocalityWithReplication } from "./twins_locality.ts";

/** Makes the twin of a scheduler for a service with these flags. */
export function makeTwin(scheduler: Scheduler, flags: number, random: Random): Twin {
  const make = TWINS[scheduler.name];
  if (make === undefined) throw new Error(`write a twin for the scheduler ${scheduler.name}`);
  return make(flags, random);
}

const TWINS: Readonly<Record<string, (flags: number, random: Random) => Twin>> = {
  rr: () => new RoundRobin(),
  wrr: () => new WeightedRoundRobin(),
  lc: () => smallest((it) => BigInt.asUintN(32, load(it)), () => 1n),
  wlc: () => smallest(load, weight),
  sed: () => smallest(delay, weight),
  nq: () => firstOf(pickIdle, pickSmallest(delay, weight)),
  fo: () => firstOf((list) => heaviest(list.filter(usable))),
  ovf: () => firstOf((list) => heaviest(list.filter((it) => usable(it) && it.activeConns <= it.weight))),
  twos: (_flags, random) => firstOf((list) => pickOfTwo(list.filter(usable), random)),
  sh: (flags) => new SourceHashing(flags),
  dh: () => new DestinationHashing(),
  mh: (flags) => new Maglev(flags),
  lblc: () => new Locality(),
  lblcr: () => new LocalityWithReplication(),
};

const delay = (it: Seen): bigint => BigInt(it.activeConns) + 1n;
const pickIdle = (list: readonly Seen[]) => list.find((it) => usable(it) && it.activeConns === 0);

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

/** A twin without a memory: the answer of the first that has one. */
function firstOf(...ways: readonly Choose[]): Twin {
  return {
    changed() {},
    pick: (list) => ways.map((way) => way(list)).find((it) => it !== undefined)?.handle ?? NO_DESTINATION,
  };
}

function smallest(loadOf: (it: Seen) => bigint, weightOf: (it: Seen) => bigint): Twin {
  return firstOf(pickSmallest(loadOf, weightOf));
}

function heaviest(candidates: readonly Seen[]): Seen | undefined {
  const most = Math.max(...candidates.map((it) => it.weight));
  return candidates.find((it) => it.weight === most);
}

/** Every server has as many tickets as its weight; number 0, which nobody has, is the first one's too. */
function pickOfTwo(candidates: readonly Seen[], random: Random): Seen | undefined {
  if (candidates.length === 0) return undefined;
  const tickets = candidates.flatMap((it) => new Array<Seen>(it.weight).fill(it));
  const draw = () => tickets[Math.max(0, random.below(tickets.length + 1) - 1)];
  const [first, second] = [draw(), draw()];
  if (first === undefined || second === undefined) return undefined;
  return weight(second) * load(first) > weight(first) * load(second) ? second : first;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
