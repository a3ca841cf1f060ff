/**
 * The daemon's director with its flight recorder.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Director } from "../director/director.ts";
import type { OnExpire } from "../director/entries.ts";
import { Store } from "../director/store.ts";
import { type Random, SeededRandom } from "../net/random.ts";
import { findScheduler } from "../schedulers/registry.ts";
import { FlightRecorder } from "../simulator/flight_recorder.ts";
import { FlightRing } from "../director/flight_ring.ts";
import { RecordedDirector } from "../director/recorded_director.ts";

/** Makes both; `record` writes what is remembered as a script, `flights` is where the workers write, from the first on. */
export function recordedDirector(
  { clock, random, onExpire, workers }: {
    clock: Clock;
    random: Random;
    onExpire: OnExpire;
    /** Threads besides this one that decide; with any, the store is shared. */
    workers: number;
  },
): { director: Director; record: () => string; flights: readonly ArrayBufferLike[] } {
  // A number source of its own, and not the health monitor's too: a record with this seed repeats every draw.
  const seed = random.below(2 ** 32);
  const ring = FlightRing.create();
  const others = Array.from({ length: workers }, () => FlightRing.create({ shared: true }));
  const recorder = new FlightRecorder([ring, ...others], clock);
  const store = Store.create({ shared: workers > 0, capacities: { workers: 1 + workers } });
  const director = new RecordedDirector({
    ring,
    recorder,
    store,
    random: new SeededRandom(seed),
    findScheduler,
    onExpire,
  });
  const record = () =>
    recorder.record({
      seed,
      wallTime: new Date(clock.wallMs()).toISOString(),
    });
  return { director, record, flights: others.map((it) => it.buffer) };
}
