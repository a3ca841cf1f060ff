/** What is known of the turns of workers. */
import assert from "node:assert/strict";
import { TurnTimes } from "../../../engines/native/turn_times.ts";

function twoWorkers(): { readonly writer: TurnTimes; readonly reader: TurnTimes } {
  const buffer = TurnTimes.createBuffer(2);
  return { writer: new TurnTimes(buffer), reader: new TurnTimes(buffer) };
}

Deno.test("turn times: turns and their time add up, for each worker by itself", () => {
  const { writer, reader } = twoWorkers();
  assert.deepEqual(reader.all(0), []);
  writer.add(2, 3, 100);
  writer.add(2, 1.5, 200);
  assert.deepEqual(reader.all(200), [{
    worker: 2,
    turns: 2,
    busySeconds: 0.0045,
    longestTurnSeconds: 0.003,
  }]);
  writer.add(1, 7, 300);
  assert.deepEqual(reader.all(300).map((it) => it.longestTurnSeconds), [0.007, 0.003]);
});

Deno.test("turn times: the longest turn is remembered for 10 seconds at least and 20 at most", () => {
  const { writer, reader } = twoWorkers();
  const longestAt = (nowMs: number) => reader.all(nowMs)[0]?.longestTurnSeconds;
  writer.add(1, 50, 9_999);
  writer.add(1, 2, 10_000);
  assert.equal(longestAt(19_999), 0.05);
  writer.add(1, 1, 20_000);
  assert.equal(longestAt(20_000), 0.002);
  writer.add(1, 1, 50_000);
  assert.equal(longestAt(50_000), 0.001);
});

Deno.test("turn times: a worker that sleeps forgets its longest turn too", () => {
  const { writer, reader } = twoWorkers();
  writer.add(1, 50, 1_000);
  const longestAt = (nowMs: number) => reader.all(nowMs)[0]?.longestTurnSeconds;
  assert.deepEqual([9_999, 10_000, 19_999, 20_000].map(longestAt), [0.05, 0.05, 0.05, 0]);
});
