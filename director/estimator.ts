/**
 * Rates as the kernel estimates them. Every 2 s the counters are read; what `ipvsadm --stats` and `--rate` show is that
 * reading, so it stands still in between.
 *
 * @module
 */
import type { DestinationTable } from "./destinations.ts";
import { COUNTER, COUNTERS, HEADER_TIME } from "./layout.ts";
import type { ServiceTable } from "./services.ts";
import type { Counters, Statistics } from "./statistics.ts";
import type { Store } from "./store.ts";
import { sysctlIndex } from "./sysctl.ts";

/** `ip_vs_est.c`: one timer for all objects of a namespace. */
const PERIOD_MS = 2_000;
/** After so many readings without traffic every average is 0: three quarters of 2^53 at a time. */
const LONGEST_CATCH_UP = 128;
const RUN_ESTIMATION = sysctlIndex("run_estimation");

/** Averages per second, as `ipvsadm --rate` prints them. */
export type Rates = Counters;

/** What the kernel would show: counters as of the last reading, and rates. */
export interface Estimate {
  readonly counters: Counters;
  readonly rates: Rates;
}

/** Fixed-point arithmetic of one counter: the increase is scaled so that two seconds make one, then smoothed. */
interface Scale {
  readonly increase: number;
  readonly round: number;
  readonly shown: number;
}
// conns and packets have 10 fraction bits, bytes 5.
const COUNT_SCALE: Scale = { increase: 2 ** 9, round: 0x1ff, shown: 2 ** 10 };
const BYTE_SCALE: Scale = { increase: 2 ** 4, round: 0xf, shown: 2 ** 5 };
const SCALES: readonly Scale[] = Array.from(
  { length: COUNTERS },
  (_, i) => i === COUNTER.inBytes || i === COUNTER.outBytes ? BYTE_SCALE : COUNT_SCALE,
);

/** What is estimated. */
export interface EstimatorParts {
  readonly store: Store;
  readonly services: ServiceTable;
  readonly destinations: DestinationTable;
  readonly statistics: Statistics;
}

/** Readings and averages of all objects. Any thread may look; only the control plane's reads the counters. */
export class Estimator {
  readonly #parts: EstimatorParts;
  readonly #times: Float64Array;
  readonly #readings: Float64Array;
  readonly #bases: Float64Array;
  readonly #averages: Float64Array;

  constructor(parts: EstimatorParts) {
    this.#parts = parts;
    const { store } = parts;
    this.#times = store.times;
    this.#readings = store.readings;
    this.#bases = store.readingBases;
    this.#averages = store.rateAverages;
  }

  /** Reads the counters as often as 2 s have passed; the first call only starts the clock. */
  advance(nowMs: number): void {
    const nextMs = this.#times[HEADER_TIME.estimationMs] ?? 0;
    if (nextMs === 0) {
      this.#times[HEADER_TIME.estimationMs] = nowMs + PERIOD_MS;
      return;
    }
    if (nowMs < nextMs) return;
    const periods = Math.floor((nowMs - nextMs) / PERIOD_MS) + 1;
    this.#times[HEADER_TIME.estimationMs] = nextMs + periods * PERIOD_MS;
    if (this.#parts.store.header[RUN_ESTIMATION] === 0) return;
    for (let i = 0; i < Math.min(periods, LONGEST_CATCH_UP); i++) this.#readAll();
  }

  total(): Estimate {
    return this.#estimate(0);
  }

  ofService(service: number): Estimate {
    return this.#estimate(this.#parts.statistics.indexOfService(service));
  }

  ofDestination(destination: number): Estimate {
    return this.#estimate(this.#parts.statistics.indexOfDestination(destination));
  }

  /** A row begins a new life: nothing of the old one is seen. */
  beginService(service: number): void {
    this.#begin(this.#parts.statistics.indexOfService(service));
  }

  beginDestination(destination: number): void {
    this.#begin(this.#parts.statistics.indexOfDestination(destination));
  }

  /** `-Z`: the numbers begin at 0 again; those shown do so from the last reading on. */
  zeroTotal(): void {
    this.#zero(0);
  }

  zeroService(service: number): void {
    this.#zero(this.#parts.statistics.indexOfService(service));
  }

  zeroDestination(destination: number): void {
    this.#zero(this.#parts.statistics.indexOfDestination(destination));
  }

  #begin(index: number): void {
    const { statistics } = this.#parts;
    statistics.zero(index);
    for (let at = index; at < index + COUNTERS; at++) {
      this.#readings[at] = statistics.sum(at);
      this.#bases[at] = this.#readings[at] ?? 0;
      this.#averages[at] = 0;
    }
  }

  #zero(index: number): void {
    this.#parts.statistics.zero(index);
    for (let at = index; at < index + COUNTERS; at++) {
      this.#bases[at] = this.#readings[at] ?? 0;
      this.#averages[at] = 0;
    }
  }

  #readAll(): void {
    const { services, destinations, statistics } = this.#parts;
    this.#read(0);
    for (const service of services.slots()) {
      this.#read(statistics.indexOfService(service));
      for (const handle of destinations.ofService(service)) {
        this.#read(statistics.indexOfDestination(destinations.slotOf(handle)));
      }
    }
  }

  #read(index: number): void {
    const { statistics } = this.#parts;
    for (let counter = 0; counter < COUNTERS; counter++) {
      const at = index + counter;
      const value = statistics.sum(at);
      const average = this.#averages[at] ?? 0;
      const increase = value - (this.#readings[at] ?? 0);
      this.#readings[at] = value;
      if (increase === 0 && average === 0) continue;
      const rate = increase * (SCALES[counter]?.increase ?? 0);
      // The kernel shifts a signed difference: it rounds down.
      this.#averages[at] = average + Math.floor((rate - average) / 4);
    }
  }

  #estimate(index: number): Estimate {
    const count = (counter: number) =>
      (this.#readings[index + counter] ?? 0) - (this.#bases[index + counter] ?? 0);
    const rate = (counter: number) => {
      const { round, shown } = SCALES[counter] ?? COUNT_SCALE;
      return Math.floor(((this.#averages[index + counter] ?? 0) + round) / shown);
    };
    return { counters: fiveOf(count), rates: fiveOf(rate) };
  }
}

function fiveOf(value: (counter: number) => number): Counters {
  return {
    connections: value(COUNTER.connections),
    inPackets: value(COUNTER.inPackets),
    outPackets: value(COUNTER.outPackets),
    inBytes: value(COUNTER.inBytes),
    outBytes: value(COUNTER.outBytes),
  };
}
