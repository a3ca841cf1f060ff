/** The order of the runs, and the table made of them. */
import assert from "node:assert/strict";
import type { Figure } from "../../../bench/figure.ts";
import { figureTable, summarise } from "../../../bench/report.ts";
import { runFreshRounds, runRounds } from "../../../bench/rounds.ts";
import type { Side } from "../../../bench/side.ts";

const SIDES: readonly Side[] = ["direct", "lvsd", "haproxy"].map((name, i) => ({
  name,
  version: "",
  settings: [],
  ports: { http: i + 1, stream: i + 11 },
  pids: [],
  readyAfterMs: 0,
}));

const CONTROL = { progress: () => {}, signal: AbortSignal.any([]) };

function figure(measure: Figure["measure"]): Figure {
  return {
    name: "requests",
    title: "requests",
    unit: "/s",
    better: "more",
    processorUnit: "us each",
    program: "wrk",
    client: "wrk",
    measure,
  };
}

Deno.test("bench: all sides run in turn, and the rounds of the warming up do not count", async () => {
  const order: number[] = [];
  const counting = figure(({ ports }) => {
    order.push(ports.http);
    return Promise.resolve({ value: order.length, errors: 1 });
  });
  const runs = await runRounds(counting, SIDES, { warmUpRounds: 2, rounds: 2 }, CONTROL);
  assert.deepEqual(order, [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
  assert.deepEqual(runs.get("direct"), { values: [7, 10], errors: 2 });
  assert.deepEqual(runs.get("haproxy"), { values: [9, 12], errors: 2 });
});

Deno.test("bench: a figure about fresh processes gets new ones each round, and skips the way without a proxy", async () => {
  const started: number[] = [];
  const start = () => {
    const pid = Deno.pid;
    const number = started.push(pid);
    const sides = SIDES.map((side) => ({
      ...side,
      pids: side.name === "direct" ? [] : [pid],
      readyAfterMs: 100 * number,
    }));
    return Promise.resolve({ sides, [Symbol.asyncDispose]: () => Promise.resolve() });
  };
  const starting = figure(({ readyAfterMs }) => Promise.resolve({ value: readyAfterMs, errors: 0 }));
  const runs = await runFreshRounds(starting, start, 2, CONTROL);
  assert.deepEqual([...runs.keys()], ["lvsd", "haproxy"]);
  assert.deepEqual(runs.get("lvsd")?.values, [100, 200]);
});

Deno.test("bench: the better setting of HAProxy is what all are divided by", () => {
  const runs = new Map([
    ["lvsd", { values: [1_500], errors: 0 }],
    ["haproxy", { values: [1_000], errors: 0 }],
    ["haproxy-splice", { values: [3_000], errors: 0 }],
  ]);
  const result = summarise(figure(() => Promise.reject(new Error())), runs);
  assert.equal(result.reference, "haproxy-splice");
  assert.deepEqual(result.sides.map(({ ratio }) => ratio?.median), [0.5, 1 / 3, 1]);
  const slower = { ...figure(() => Promise.reject(new Error())), better: "less" } as const;
  assert.equal(summarise(slower, runs).reference, "haproxy");
});

Deno.test("bench: the table divides each side by HAProxy, round by round", () => {
  const runs = new Map([
    ["direct", { values: [4_000, 2_400], errors: 0 }],
    ["lvsd", { values: [1_500, 900], errors: 3 }],
    ["haproxy", { values: [2_000, 1_000], errors: 0 }],
  ]);
  const result = summarise(figure(() => Promise.reject(new Error())), runs);
  assert.equal(
    figureTable(result),
    `requests: requests, /s, more is better (wrk)
         median  lowest  highest  to haproxy  lowest  highest  errors
direct    3,200   2,400    4,000       2.20x   2.00x    2.40x       0
lvsd      1,200     900    1,500       0.82x   0.75x    0.90x       3
haproxy   1,500   1,000    2,000       1.00x   1.00x    1.00x       0
`,
  );
});

Deno.test("bench: a side without a pair has no ratio, not one of zero", () => {
  const runs = new Map([
    ["lvsd", { values: [0], errors: 1 }],
    ["haproxy", { values: [2_000], errors: 0 }],
  ]);
  const result = summarise(figure(() => Promise.reject(new Error())), runs);
  assert.equal(result.sides[0]?.ratio, null);
  assert.match(figureTable(result), /^lvsd +0 +0 +0 +- +- +- +1$/m);
});
