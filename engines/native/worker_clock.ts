/**
 * Time in a worker. All threads of an engine have to read the same clock, because deadlines stand in the store; but each
 * thread's `performance.now()` counts from a zero of its own.
 *
 * @module
 */
import { addressOf, type Libc } from "../../sys/libc.ts";
import { CLOCK_MONOTONIC } from "../../sys/socket_numbers.ts";
import type { EngineMemory } from "./engine_memory.ts";

/** CLOCK_MONOTONIC, milliseconds. */
export function monotonicMs(libc: Libc): number {
  const time = new BigInt64Array(2);
  libc.clockTime(CLOCK_MONOTONIC, addressOf(time));
  return Number(time[0]) * 1_000 + Number(time[1]) / 1e6;
}

/** The engine's clock, read once for each turn of the loop. */
export class WorkerClock {
  /** Time of this turn. */
  nowMs = 0;
  /** The same as `performance.now()` has it, for waits that no clock moves. */
  realMs = 0;
  readonly #memory: EngineMemory;
  readonly #offsetMs: number;
  /** The engine's clock is moved by hand: it is what main says it is. */
  readonly isTold: boolean;

  /** @param zeroMs what CLOCK_MONOTONIC showed when the engine's clock stood at 0; undefined: main tells the time */
  constructor(libc: Libc, memory: EngineMemory, zeroMs: number | undefined) {
    this.#memory = memory;
    this.isTold = zeroMs === undefined;
    this.#offsetMs = zeroMs === undefined ? 0 : monotonicMs(libc) - performance.now() - zeroMs;
    this.refresh();
  }

  refresh(): void {
    this.realMs = performance.now();
    this.nowMs = this.isTold ? this.#memory.timeMs : this.realMs + this.#offsetMs;
  }
}
