import assert from "node:assert/strict";
import { CellArena } from "../../../director/cell_arena.ts";
import { slotMask, SlotPool } from "../../../director/slots.ts";

function makePool(capacity: number): { pool: SlotPool; words: Int32Array } {
  const words = new Int32Array((capacity + 1) * 2);
  return {
    pool: new SlotPool(new Int32Array(2), 0, { words, stride: 2, capacity, handle: 0, link: 1 }),
    words,
  };
}

Deno.test("slots: every row once, then none", () => {
  const { pool } = makePool(3);
  assert.deepEqual([pool.take(), pool.take(), pool.take(), pool.take()], [1, 2, 3, 0]);
  pool.give(2);
  assert.deepEqual([pool.take(), pool.take()], [2, 0]);
});

Deno.test("slots: a row's handles differ for thousands of uses, stay positive, and wrap", () => {
  const { pool, words } = makePool(262_144);
  const seen = new Set<number>();
  for (let use = 0; use < 4_096; use++) {
    const slot = pool.take();
    const handle = words[slot * 2] ?? 0;
    assert.equal(handle & slotMask(262_144), slot);
    assert.ok(handle > 0);
    seen.add(handle);
    pool.give(slot);
    assert.notEqual(words[slot * 2], handle);
  }
  assert.equal(seen.size, 4_096);
  const slot = pool.take();
  assert.ok(seen.has(words[slot * 2] ?? 0), "wrapped around");
});

Deno.test("cells: blocks do not overlap, come back zeroed, and are joined again", () => {
  const cells = new Int32Array(100);
  const arena = new CellArena(cells);
  const a = arena.take(10);
  const b = arena.take(20);
  const c = arena.take(30);
  assert.equal(arena.take(40), -1);
  for (const [index, length] of [[a, 10], [b, 20], [c, 30]] as const) {
    cells.fill(index, index, index + length);
  }
  assert.ok(cells.subarray(b, b + 20).every((cell) => cell === b));
  arena.give(b);
  arena.give(a);
  const joined = arena.take(32);
  assert.equal(joined, a);
  assert.ok(cells.subarray(joined, joined + 32).every((cell) => cell === 0));
  arena.give(joined);
  arena.give(c);
  const all = arena.take(98);
  assert.ok(all >= 0);
  assert.ok(cells.subarray(all, all + 98).every((cell) => cell === 0));
});
