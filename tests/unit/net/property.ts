/** One way to run a property: the seed is in the failure's message, and a seed repeats the run. */
import fc from "fast-check";

/** Sets the seed of all properties, to repeat a failed run. */
const SEED_VARIABLE = "LVSD_TEST_SEED";

/** Runs a property; `{ seed: ... }` in the message of a failure repeats it. */
export function proveProperty<Ts>(property: fc.IProperty<Ts>, runs = 500): void {
  fc.assert(property, { numRuns: runs, seed: seedOfRun() });
}

/** A new seed, or the one asked for. */
export function seedOfRun(): number {
  const asked = Deno.env.get(SEED_VARIABLE);
  return asked === undefined ? Date.now() & 0x7fffffff : Number(asked);
}
