import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import { ConnectPace } from "../../../engines/portable/connect_pace.ts";
import { LIMITS } from "../../../limits.ts";

function begin(pace: ConnectPace): number {
  let count = 0;
  for (; pace.hasRoom; count++) pace.begin();
  return count;
}

Deno.test("so many connects begin at once; an answer makes room for one more", () => {
  const pace = new ConnectPace(new ManualClock());
  assert.equal(begin(pace), LIMITS.freshConnects);
  pace.settled();
  pace.settled();
  assert.equal(begin(pace), 2);
});

Deno.test("an answer lets those go on who wait, a moment later", () => {
  const clock = new ManualClock();
  const pace = new ConnectPace(clock);
  begin(pace);
  const rounds: number[] = [];
  pace.wait(() => rounds.push(begin(pace)));
  pace.settled();
  pace.settled();
  assert.deepEqual(rounds, []);
  clock.advance(0);
  assert.deepEqual(rounds, [2]);
});

Deno.test("servers that never answer hold nobody up for long", () => {
  const clock = new ManualClock();
  const pace = new ConnectPace(clock);
  const rounds: number[] = [];
  const resume = () => {
    rounds.push(begin(pace));
    pace.wait(resume);
  };
  begin(pace);
  pace.wait(resume);
  pace.wait(resume);
  clock.advance(LIMITS.freshConnectMs * 3);
  assert.deepEqual(rounds, [LIMITS.freshConnects, LIMITS.freshConnects, LIMITS.freshConnects]);
  pace.forget(resume);
});

Deno.test("answers of connects that no longer count make no room beyond the limit", () => {
  const clock = new ManualClock();
  const pace = new ConnectPace(clock);
  begin(pace);
  pace.wait(() => {});
  clock.advance(LIMITS.freshConnectMs);
  for (let i = 0; i < LIMITS.freshConnects; i++) pace.settled();
  assert.equal(begin(pace), LIMITS.freshConnects);
});

Deno.test("who no longer waits is not called, and leaves no timer behind", () => {
  const clock = new ManualClock();
  const pace = new ConnectPace(clock);
  let calls = 0;
  const resume = () => calls++;
  begin(pace);
  pace.wait(resume);
  pace.forget(resume);
  clock.advance(LIMITS.freshConnectMs);
  assert.equal(calls, 0);
  pace.wait(resume);
  clock.advance(LIMITS.freshConnectMs);
  assert.equal(calls, 1);
});
