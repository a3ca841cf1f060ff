import assert from "node:assert/strict";
import { BufferPool, ReadBuffer } from "../../../engines/portable/read_buffers.ts";
import { LIMITS } from "../../../limits.ts";

const SMALL = LIMITS.relaySmallReadBytes;
const LARGE = LIMITS.relayBufferBytes;

Deno.test("little is read into a small buffer, much into a large one of the pool", () => {
  const pool = new BufferPool();
  const buffer = new ReadBuffer(pool);
  assert.equal(buffer.next.length, SMALL);
  buffer.advance(SMALL - 1, false);
  assert.equal(buffer.next.length, SMALL);
  buffer.advance(SMALL, false);
  const large = buffer.next;
  assert.equal(large.length, LARGE);
  buffer.advance(LARGE, false);
  assert.equal(buffer.next, large, "the same again");
  buffer.advance(10, false);
  assert.equal(buffer.next.length, SMALL);
  assert.equal(pool.takeLarge(), large, "given back");
});

Deno.test("memory that a write still needs is never read into", () => {
  const buffer = new ReadBuffer(new BufferPool());
  const held = new Set<Uint8Array>();
  for (let i = 0; i < 5; i++) {
    held.add(buffer.next);
    buffer.advance(100, true);
    assert.ok(!held.has(buffer.next), `read ${i}`);
  }
});

Deno.test("memory serves again when the write is through", () => {
  const pool = new BufferPool();
  const buffer = new ReadBuffer(pool);
  buffer.advance(SMALL, false);
  const large = buffer.next;
  buffer.advance(LARGE, true);
  const other = buffer.next;
  buffer.advance(LARGE, false);
  assert.equal(buffer.next, other);
  assert.equal(pool.takeLarge(), large);
});

Deno.test("a closed socket gives its buffers back, unless a write needs them", () => {
  for (const isHeld of [false, true]) {
    const pool = new BufferPool();
    const buffer = new ReadBuffer(pool);
    const small = buffer.next;
    buffer.advance(SMALL, false);
    const large = buffer.next;
    buffer.close(isHeld);
    assert.equal(pool.takeLarge() === large, !isHeld);
    assert.equal(pool.takeSmall() === small, !isHeld);
  }
});

Deno.test("the pool keeps a bounded number of each size", () => {
  const sizes = [[LARGE, LIMITS.relaySpareBuffers], [SMALL, LIMITS.relaySpareSmallBuffers]] as const;
  for (const [size, most] of sizes) {
    const pool = new BufferPool();
    const given = new Set<Uint8Array>();
    for (let i = 0; i < most + 10; i++) {
      const buffer = new Uint8Array(size);
      given.add(buffer);
      pool.give(buffer);
    }
    let kept = 0;
    while (given.has(size === LARGE ? pool.takeLarge() : pool.takeSmall())) kept++;
    assert.equal(kept, most);
  }
});
