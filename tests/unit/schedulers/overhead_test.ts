import assert from "node:assert/strict";
import fc from "fast-check";
import { overhead, productExceeds } from "../../../schedulers/overhead.ts";
import { rr } from "../../../schedulers/rr.ts";
import { Service } from "../../conformance/schedulers/service.ts";

Deno.test("overhead is 256 for an active and 1 for an inactive connection, in a signed 32-bit integer", () => {
  const service = new Service(rr);
  const [handle = -1] = service.addAll([{ address: "10.0.0.1" }]);
  const server = service.server(handle);
  for (const [active, inactive, expected] of [[0, 0, 0], [2, 10, 522], [1 << 23, 0, -(2 ** 31)]] as const) {
    server.activeConns = active;
    server.inactiveConns = inactive;
    assert.equal(overhead(service, handle), expected);
  }
});

Deno.test("productExceeds compares like 64-bit integers, near ties of huge products too", () => {
  const factor = fc.oneof(
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    fc.integer({ min: 2 ** 31 - 64, max: 2 ** 31 - 1 }),
    fc.integer({ min: 2 ** 30 - 8, max: 2 ** 30 + 8 }),
    fc.integer({ min: -8, max: 8 }),
  );
  fc.assert(
    fc.property(factor, factor, factor, factor, (a, b, c, d) => {
      assert.equal(productExceeds(a, b, c, d), BigInt(a) * BigInt(b) > BigInt(c) * BigInt(d));
    }),
    { numRuns: 20_000 },
  );
});
