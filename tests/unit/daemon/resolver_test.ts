import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import { type NameAnswer, Resolver } from "../../../daemon/resolver.ts";
import { LIMITS } from "../../../limits.ts";
import { IpAddress } from "../../../net/address.ts";

/** Lets the promise jobs of a look-up run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function scripted(...answers: (NameAnswer | Error)[]) {
  const clock = new ManualClock();
  const seen: string[] = [];
  let asked = 0;
  const refusals: unknown[] = [];
  let refuses = false;
  const resolver = new Resolver({
    clock,
    onRefused: (_host, error) => refusals.push(error),
    lookUp: () => {
      const answer = answers[Math.min(asked++, answers.length - 1)];
      return answer instanceof Error
        ? Promise.reject(answer)
        : Promise.resolve(answer ?? { addresses: [], ttlMs: 0 });
    },
  });
  const end = resolver.follow(
    "app.test",
    (address, problem) => {
      seen.push(address?.toString() ?? `none: ${problem}`);
      if (refuses) throw new Error("no room");
    },
  );
  const refuse = (it: boolean) => refuses = it;
  return { clock, seen, resolver, end, asked: () => asked, refusals, refuse };
}

const answer = (ttlMs: number, ...addresses: string[]): NameAnswer => ({
  addresses: addresses.map((it) => IpAddress.parse(it)),
  ttlMs,
});

Deno.test("resolver: asks again after the time to live, and keeps an address that is still in the answer", async () => {
  const it = scripted(
    answer(5_000, "10.0.0.1"),
    answer(5_000, "10.0.0.2", "10.0.0.1"),
    answer(5_000, "10.0.0.2"),
  );
  await settle();
  it.clock.advance(4_999);
  await settle();
  assert.equal(it.asked(), 1);
  it.clock.advance(1);
  await settle();
  assert.deepEqual(it.seen, ["10.0.0.1"]);
  it.clock.advance(5_000);
  await settle();
  assert.deepEqual(it.seen, ["10.0.0.1", "10.0.0.2"]);
});

Deno.test("resolver: a name that stops resolving keeps its last address", async () => {
  const it = scripted(answer(1_000, "10.0.0.1"), new Error("SERVFAIL"));
  await settle();
  it.clock.advance(60_000);
  await settle();
  assert.deepEqual(it.seen, ["10.0.0.1"]);
});

Deno.test("resolver: a name that never resolved says so and is retried", async () => {
  const it = scripted(new Error("no such host"), answer(1_000, "10.0.0.1"));
  await settle();
  it.clock.advance(LIMITS.nameRetryMs);
  await settle();
  assert.deepEqual(it.seen, ["none: no such host", "10.0.0.1"]);
});

Deno.test("resolver: a time to live of 0 does not hammer the name server", async () => {
  const it = scripted(answer(0, "10.0.0.1"));
  await settle();
  it.clock.advance(LIMITS.nameTtlFloorMs - 1);
  await settle();
  assert.equal(it.asked(), 1);
});

Deno.test("resolver: the end of following leaves no timer behind", async () => {
  const it = scripted(answer(1_000, "10.0.0.1"));
  await settle();
  assert.equal(it.clock.pendingTimers, 1);
  it.end();
  assert.equal(it.clock.pendingTimers, 0);
});

Deno.test("resolver: an address that its follower refuses is no failed look-up, and is told again", async () => {
  const it = scripted(answer(60_000, "10.0.0.1"));
  it.refuse(true);
  await settle();
  assert.deepEqual([it.seen, it.refusals.length], [["10.0.0.1"], 1]);
  it.refuse(false);
  it.clock.advance(LIMITS.nameRetryMs);
  await settle();
  assert.deepEqual([it.seen, it.refusals.length], [["10.0.0.1", "10.0.0.1"], 1]);
  it.clock.advance(60_000);
  await settle();
  assert.deepEqual([it.seen.length, it.asked()], [2, 3], "taken over, it is not told a third time");
});
