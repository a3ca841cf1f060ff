/** Section 13 of the schedulers' description. */
import assert from "node:assert/strict";
import { IpAddress } from "../../../net/address.ts";
import { fold } from "../../../schedulers/hash.ts";
import { mh, MH_FALLBACK, MH_PORT } from "../../../schedulers/mh.ts";
import { NO_DESTINATION } from "../../../schedulers/scheduler.ts";
import { hsiphash } from "../../../schedulers/siphash.ts";
import { Service } from "../../conformance/schedulers/service.ts";

const [OFFSET_KEY, SKIP_KEY] = [2_654_435_761, 2_654_446_892];

const VECTORS: readonly [address: string, port: number, key: number, hash: number][] = [
  ["10.0.0.1", 80, OFFSET_KEY, 0x439c0cbe],
  ["10.0.0.1", 80, SKIP_KEY, 0x97b3dc47],
  ["10.0.0.2", 80, OFFSET_KEY, 0xa1cf683b],
  ["10.0.0.2", 80, SKIP_KEY, 0xfa5d46df],
  ["10.0.0.3", 80, OFFSET_KEY, 0x2cdf0afa],
  ["10.0.0.3", 80, SKIP_KEY, 0xedeb33d0],
  ["192.0.2.1", 0, OFFSET_KEY, 0x92889c88],
  ["192.0.2.2", 0, OFFSET_KEY, 0xf919356d],
  ["203.0.113.7", 0, OFFSET_KEY, 0xa86e2c15],
];

for (const [address, port, key, hash] of VECTORS) {
  Deno.test(`hsiphash of ${address}:${port} with the key ${key}`, () => {
    assert.equal(hsiphash(fold(IpAddress.parse(address).words) + port, key) >>> 0, hash);
  });
}

/** Servers 10.0.0.1, .2 and .3 of these weights, added in this order; handles are the last byte minus 1. */
function servers(weights: readonly number[], flags = 0): Service {
  const service = new Service(mh, { flags });
  service.addAll(weights.map((weight, i) => ({ address: `10.0.0.${i + 1}`, weight })));
  return service;
}

function buckets(service: Service): number[] {
  return service.handles.map((handle) => service.cells.reduce((sum, it) => sum + (it === handle ? 1 : 0), 0));
}

const TABLES: readonly [weights: number[], buckets: number[], clients: number[]][] = [
  [[1, 1, 1], [1_365, 1_364, 1_364], [3, 2, 3]],
  [[1, 2, 3], [2_047, 1_364, 682], [3, 2, 3]],
  [[1, 2, 1_000], [3_967, 63, 63], [3, 3, 3]],
  // The greatest common divisor is taken out, and 2^31 - 1 beside 1 is scaled to 63 turns beside 1.
  [[10, 20, 30], [2_047, 1_364, 682], [3, 2, 3]],
];

for (const [weights, expected, clients] of TABLES) {
  Deno.test(`mh with weights ${weights}: buckets ${expected}`, () => {
    const service = servers(weights);
    assert.deepEqual(buckets(service), expected);
    const chosen = ["192.0.2.1", "192.0.2.2", "203.0.113.7"].map((it) => service.pick(it) + 1);
    assert.deepEqual(chosen, clients);
  });
}

Deno.test("mh: the first buckets of three equal servers", () => {
  const owners = [..."2110021002211220"].map((index) => 2 - Number(index));
  assert.deepEqual([...servers([1, 1, 1]).cells.slice(0, 16)], owners);
});

Deno.test("mh: a weight of 0 leaves the table as it was and refuses its clients, unless there is the fallback", () => {
  for (const flags of [0, MH_FALLBACK]) {
    const service = servers([1, 1, 1], flags);
    const before = [...service.cells];
    assert.equal(service.pick("192.0.2.2"), 1);
    service.setWeight(1, 0);
    assert.deepEqual([...service.cells], before);
    assert.equal(service.pick("192.0.2.2") === NO_DESTINATION, flags === 0);
    assert.equal(service.pick("192.0.2.1"), 2, "others do not move");
    service.setWeight(1, 1);
    assert.equal(service.pick("192.0.2.2"), 1);
  }
});

Deno.test("mh: a server added with weight 0 has no bucket until it gets a weight", () => {
  const service = servers([1, 0, 1]);
  assert.equal(buckets(service)[1], 0);
  service.setWeight(1, 1);
  assert.deepEqual(buckets(service), [1_365, 1_364, 1_364]);
  assert.equal(servers([0, 0]).pick(), NO_DESTINATION);
});

Deno.test("mh: of three equal servers one leaves, and 4 buckets of the others move", () => {
  const service = servers([1, 1, 1]);
  const before = [...service.cells];
  service.remove(1);
  const moved = before.filter((owner, bucket) => owner !== 1 && owner !== service.cells[bucket]);
  assert.equal(moved.length, 4);
});

Deno.test("mh-port: the client's port counts", () => {
  const chosen = (flags: number) => {
    const service = servers([1, 1, 1], flags);
    return new Set(Array.from({ length: 50 }, (_, i) => service.pick("192.0.2.1", 40_000 + i)));
  };
  assert.equal(chosen(0).size, 1);
  assert.equal(chosen(MH_PORT).size, 3);
});

Deno.test("mh: more servers than buckets keep the table as it was, and one that left is not chosen from it", () => {
  const service = servers([1]);
  service.addAll(
    Array.from({ length: 4_093 }, (_, i) => ({ address: `10.1.${i >> 8}.${i & 255}`, weight: 0 })),
  );
  assert.equal(service.size, 4_094);
  assert.equal(service.pick(), 0);
  service.remove(0);
  assert.equal(service.pick(), NO_DESTINATION, "the table could be made anew and nobody has a weight");
  service.revive(0);
  service.add({ address: "10.2.0.1" });
  service.remove(0);
  service.add({ address: "10.2.0.2" });
  assert.notEqual(service.pick(), 0);
  mh.start(service, service.cells);
  assert.equal(service.pick(), NO_DESTINATION, "a table that was never filled has no owners");
});
