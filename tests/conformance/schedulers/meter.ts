/**
 * Measures what a call leaves on the heap.
 *
 * @module
 */

const CALLS = 20_000;
const ROUNDS = 9;

/**
 * Bytes that one call of `run` allocates, measured on compiled code. The median of several rounds: a round that meets a garbage
 * collection or a background compilation says nothing.
 */
export function bytesPerCall(run: () => void): number {
  const rounds: number[] = [];
  for (let i = 0; i < CALLS; i++) run();
  for (let round = 0; round < ROUNDS; round++) {
    const before = Deno.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i++) run();
    rounds.push((Deno.memoryUsage().heapUsed - before) / CALLS);
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] ?? NaN;
}
