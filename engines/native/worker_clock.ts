/**
 * Time in a worker. All threads of an engine have to read the same clock, because deadlines stand in the store; but each
 * thread's `performance.now()` counts from a zero of its own.
 *
 * @module
 */
import { addressOf, type Libc } from "../../sys/libc.ts";
import { CLOCK_MONOTONIC } from "../../sys/socket_numbers.ts";
import type { EngineMemory } from "./engine_memory.ts";

/** CLOCK_MONOTONIC. Reading it takes 47 ns where `performance.now()` of the runtime takes 123. */
export class MonotonicClock {
  readonly #libc: Libc;
  /** A `timespec`: seconds and nanoseconds, 64 bits each, of which the lower halves last for 136 years. */
  readonly #time = new Uint32Array(4);
  readonly #address = addressOf(this.#time);

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Milliseconds. */
  read(): number {
    this.#libc.clockTime(CLOCK_MONOTONIC, this.#address);
    return (this.#time[0] ?? 0) * 1_000 + (this.#time[2] ?? 0) / 1e6;
  }
}

/** The engine's clock, read once for each turn of the loop. */
export class WorkerClock {
  /** Time of this turn. */
  nowMs = 0;
  /** The same as `performance.now()` has it, for waits that no clock moves. */
  realMs = 0;
  readonly #memory: EngineMemory;
  readonly #monotonic: MonotonicClock;
  /** What `performance.now()` and the engine's clock are behind CLOCK_MONOTONIC. */
  readonly #realBehindMs: number;
  readonly #behindMs: number;
  /** The engine's clock is moved by hand: it is what main says it is. */
  readonly isTold: boolean;

  /** @param zeroMs what CLOCK_MONOTONIC showed when the engine's clock stood at 0; undefined: main tells the time */
  constructor(libc: Libc, memory: EngineMemory, zeroMs: number | undefined) {
    this.#memory = memory;
    this.#monotonic = new MonotonicClock(libc);
    this.isTold = zeroMs === undefined;
    this.#realBehindMs = this.#monotonic.read() - performance.now();
    this.#behindMs = zeroMs ?? 0;
    this.refresh();
  }

  refresh(): void {
    const ms = this.#monotonic.read();
    this.realMs = ms - this.#realBehindMs;
    this.nowMs = this.isTold ? this.#memory.timeMs : ms - this.#behindMs;
  }

  /** `realMs` as it is by now. */
  readReal(): number {
    return this.#monotonic.read() - this.#realBehindMs;
  }
}
