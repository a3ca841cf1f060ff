/** How many clients a worker takes in one turn, by what the others have. */
import assert from "node:assert/strict";
import { AcceptShare } from "../../../engines/native/accept_share.ts";
import { EngineMemory } from "../../../engines/native/engine_memory.ts";

const SLOT = 5;

/** @param live connections of each worker; the first is the one whose share it is */
function share(...live: number[]): AcceptShare {
  const memory = EngineMemory.create(live.length, 64);
  live.forEach((count, i) => memory.addLive(i + 1, SLOT, count));
  memory.addLive(1, SLOT + 1, 1_000);
  return new AcceptShare(memory, 1, SLOT);
}

function acceptsOfOneTurn(it: AcceptShare): number {
  let accepted = 0;
  while (it.mayAccept(accepted)) accepted++;
  return accepted;
}

Deno.test("accept share: who has no more than the others takes a whole burst", () => {
  for (const live of [[0], [1_000], [0, 0], [3, 3], [3, 900], [9, 9, 10]]) {
    assert.equal(share(...live).isExceeded, false);
    assert.equal(acceptsOfOneTurn(share(...live)), 64);
  }
});

Deno.test("accept share: one more than the least is too much where there are few, an eighth more where there are many", () => {
  for (const live of [[1, 0], [2, 1], [9, 8, 7], [8, 100, 7], [91, 80], [901, 800]]) {
    assert.ok(share(...live).isExceeded, `${live}`);
  }
  for (const live of [[9, 8], [90, 80], [900, 800]]) {
    assert.equal(share(...live).isExceeded, false, `${live}`);
  }
});

Deno.test("accept share: who has more still takes some, for the others may be too busy", () => {
  assert.equal(acceptsOfOneTurn(share(1, 0)), 4);
  assert.equal(acceptsOfOneTurn(share(2_000, 0, 1_999)), 4);
});

Deno.test("accept share: the rest of a burst is left once it makes the share exceeded", () => {
  const memory = EngineMemory.create(2, 64);
  memory.addLive(1, SLOT, 10);
  memory.addLive(2, SLOT, 20);
  const it = new AcceptShare(memory, 1, SLOT);
  let accepted = 0;
  for (; it.mayAccept(accepted); accepted++) memory.addLive(1, SLOT, 1);
  assert.equal(accepted, 13);
});
