/** The pool of reply buffers. */
import assert from "node:assert/strict";
import { UDP_BUFFER_BYTES, UdpBuffers } from "../../../engines/portable/udp_buffers.ts";

Deno.test("udp buffers: no two that are out share a byte", () => {
  const buffers = new UdpBuffers();
  const out = Array.from({ length: 200 }, () => buffers.take());
  for (const [i, buffer] of out.entries()) {
    assert.equal(buffer.length, UDP_BUFFER_BYTES);
    buffer.fill(i);
  }
  for (const [i, buffer] of out.entries()) {
    assert.ok(buffer[0] === i && buffer[UDP_BUFFER_BYTES - 1] === i, `buffer ${i} was overwritten`);
  }
});

Deno.test("udp buffers: what is given back is taken again, the last first", () => {
  const buffers = new UdpBuffers();
  const first = buffers.take();
  const second = buffers.take();
  const free = buffers.free;
  buffers.give(first);
  buffers.give(second);
  assert.equal(buffers.free, free + 2);
  assert.ok(buffers.take() === second && buffers.take() === first);
});
