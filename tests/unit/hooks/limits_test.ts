/** Token buckets against a plain twin on a clock that is moved; sources are bounded; connections by source. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ConnectionCounts } from "../../../hooks/connection_counts.ts";
import { VERDICT } from "../../../hooks/hook.ts";
import { Limiter } from "../../../hooks/limiter.ts";
import type { Limit } from "../../../hooks/rule.ts";
import { SourceTable } from "../../../hooks/source_table.ts";
import { IpAddress } from "../../../net/address.ts";
import { proveProperty } from "../net/property.ts";
import { ACCEPT, DROP, input, packet, rule, ruleSet } from "./testbed.ts";

const NOBODY = new Uint32Array(4);

/** xt_limit as its manual tells it: a bucket of `burst` tokens, one more every period / rate; in exact fractions. */
class PlainBucket {
  #tokens: bigint;
  #lastMs = 0;
  readonly #limit: Limit;

  constructor(limit: Limit) {
    this.#limit = limit;
    this.#tokens = this.#capacity;
  }

  get #capacity(): bigint {
    return BigInt(this.#limit.burst) * BigInt(this.#limit.periodMs);
  }

  within(nowMs: number): boolean {
    this.#tokens += BigInt(nowMs - this.#lastMs) * BigInt(this.#limit.rate);
    if (this.#tokens > this.#capacity) this.#tokens = this.#capacity;
    this.#lastMs = nowMs;
    if (this.#tokens < BigInt(this.#limit.periodMs)) return false;
    this.#tokens -= BigInt(this.#limit.periodMs);
    return true;
  }
}

const anyLimit = fc.record({
  rate: fc.integer({ min: 1, max: 10_000 }),
  periodMs: fc.constantFrom(1_000, 60_000, 3_600_000, 86_400_000),
  burst: fc.integer({ min: 1, max: 50 }),
});

Deno.test("limit: decides as a plain token bucket does", () => {
  const steps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 20_000 })), { maxLength: 200 });
  proveProperty(fc.property(anyLimit, steps, (limit, waits) => {
    const [limiter, twin] = [new Limiter(limit, 1, 0), new PlainBucket(limit)];
    let nowMs = 0;
    for (const wait of waits) {
      nowMs += wait;
      const asked = limiter.within(4, NOBODY, nowMs, false);
      const taken = limiter.within(4, NOBODY, nowMs, true);
      assert.equal(taken, twin.within(nowMs));
      assert.equal(asked, taken);
    }
  }));
});

Deno.test("limit: a burst of 5, then one every 100 ms of 10/s; a pause fills up to the burst and no further", () => {
  const limiter = new Limiter({ rate: 10, periodMs: 1_000, burst: 5 }, 1, 0);
  const passed = (times: number, nowMs: number) =>
    Array.from({ length: times }, () => limiter.within(4, NOBODY, nowMs, true)).filter(Boolean).length;
  assert.equal(passed(10, 0), 5);
  assert.equal(passed(1, 99), 0);
  assert.equal(passed(2, 100), 1);
  assert.equal(passed(10, 60_000), 5);
});

Deno.test("limit: one bucket for each source network", () => {
  const limit = { rate: 1, periodMs: 60_000, burst: 2, perSource: { ipv4: 24, ipv6: 64 } };
  const set = ruleSet([input([rule({ limit }, ACCEPT)], "drop")]);
  const verdicts = (from: string) => [1, 2, 3].map(() => set.walk(0, packet(from, to(from)), 0));
  const to = (from: string) => from.startsWith("[") ? "[::1]:80" : "10.0.0.1:80";
  const twoPass = [VERDICT.accept, VERDICT.accept, VERDICT.drop];
  for (const from of ["192.0.2.1:1", "192.0.3.1:1", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1"]) {
    assert.deepEqual(verdicts(from), twoPass, from);
  }
  assert.equal(set.walk(0, packet("192.0.2.200:1"), 0), VERDICT.drop, "the same /24");
  assert.equal(set.walk(0, packet("[2001:db8::ffff]:1", "[::1]:80"), 0), VERDICT.drop, "the same /64");
  assert.equal(set.walk(0, packet("192.0.2.200:1"), 60_000), VERDICT.accept);
});

Deno.test("limit: only packets that fit in everything else take a token", () => {
  const limit = { rate: 1, periodMs: 60_000, burst: 1 };
  const set = ruleSet([input([rule({ limit, destinationPorts: [{ first: 80, last: 80 }] }, DROP)])]);
  for (let i = 0; i < 5; i++) assert.equal(set.walk(0, packet(undefined, "10.0.0.1:81"), 0), VERDICT.accept);
  assert.equal(set.walk(0, packet(), 0), VERDICT.drop);
});

Deno.test("limit: a packet that `not` excludes takes no token either", () => {
  const limit = { rate: 1, periodMs: 60_000, burst: 1 };
  const set = ruleSet([input([rule({ limit }, DROP, { destinationPorts: [{ first: 81, last: 81 }] })])]);
  for (let i = 0; i < 5; i++) assert.equal(set.walk(0, packet(undefined, "10.0.0.1:81"), 0), VERDICT.accept);
  assert.equal(set.walk(0, packet(), 0), VERDICT.drop);
});

Deno.test("limit: the tokens of a rule that did not change survive new rules", () => {
  const limit = { rate: 1, periodMs: 60_000, burst: 1 };
  const before = ruleSet([input([rule({}, DROP, { limit })])]);
  assert.equal(before.walk(0, packet(), 0), VERDICT.accept);
  const same = ruleSet([input([rule({}, ACCEPT), rule({}, DROP, { limit })])], { previous: before });
  assert.equal(same.ask(0, packet(), 0).verdict, VERDICT.accept);
  const kept = ruleSet([input([rule({}, DROP, { limit })])], { previous: before });
  assert.equal(kept.walk(0, packet(), 0), VERDICT.drop);
  const other = ruleSet([input([rule({}, DROP, { limit: { ...limit, burst: 2 } })])], { previous: before });
  assert.equal(other.walk(0, packet(), 0), VERDICT.accept);
});

Deno.test("limit: sources are bounded, the least recently seen one begins anew", () => {
  const limiter = new Limiter({ rate: 1, periodMs: 1e9, burst: 1, perSource: { ipv4: 32, ipv6: 128 } }, 3, 7);
  const within = (word: number) => limiter.within(4, Uint32Array.of(word, 0, 0, 0), 0, true);
  for (const word of [1, 2, 3]) assert.equal(within(word), true);
  assert.equal(within(1), false);
  assert.equal(within(4), true, "2 gives way");
  assert.equal(limiter.sources, 3);
  for (const word of [1, 3, 4]) assert.equal(within(word), false, `${word} is remembered`);
  assert.equal(within(2), true);
});

Deno.test("sources: the table is a map with a bound, whatever comes", () => {
  const step = fc.record({ word: fc.nat(40), remove: fc.boolean(), bits: fc.constantFrom(32, 31, 24) });
  const most = fc.constantFrom(1, 5, 64, 65, 200);
  proveProperty(fc.property(fc.array(step, { maxLength: 400 }), most, fc.integer(), (steps, most, seed) => {
    const table = new SourceTable(most, seed);
    const twin = new Map<string, number>();
    for (const [i, { word, remove, bits }] of steps.entries()) {
      const address = Uint32Array.of(0x0a000000 + word * 3, 0, 0, 0);
      const network = String(Math.floor(word * 3 / 2 ** (32 - bits)) * 2 ** (32 - bits));
      let slot = table.find(4, address, bits);
      assert.equal(slot >= 0, twin.has(network));
      if (slot >= 0) {
        assert.equal(table.values[slot * 2], twin.get(network));
        twin.delete(network);
        if (remove) {
          table.remove(slot);
          continue;
        }
        table.touch(slot);
      } else {
        if (twin.size === most) twin.delete(twin.keys().next().value ?? "");
        slot = table.add(4, address, bits);
      }
      table.values[slot * 2] = i;
      twin.set(network, i);
      assert.equal(table.size, twin.size);
    }
  }));
});

Deno.test("connections: counted by network from the beginning to the end, once each", () => {
  const counts = new ConnectionCounts(1);
  const [a, b] = [IpAddress.parse("192.0.2.1").words, IpAddress.parse("192.0.2.2").words];
  counts.opened(1, 4, a);
  assert.equal(counts.size, 0, "nobody asks");
  counts.countBy([{ ipv4: 32, ipv6: 128 }, { ipv4: 24, ipv6: 64 }]);
  counts.opened(1, 4, a);
  counts.opened(1, 4, a);
  counts.opened(2, 4, b);
  const seen = () => [counts.count(4, a, 32), counts.count(4, b, 32), counts.count(4, a, 24)];
  assert.deepEqual(seen(), [1, 1, 2]);
  counts.countBy([{ ipv4: 24, ipv6: 64 }]);
  assert.deepEqual(seen(), [0, 0, 2], "counted on after new rules; /32 is asked for no more");
  counts.closed(1);
  counts.closed(1);
  counts.closed(99);
  assert.equal(counts.count(4, b, 24), 1);
  counts.closed(2);
  assert.deepEqual([counts.count(4, b, 24), counts.size], [0, 0]);
});
