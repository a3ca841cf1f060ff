import assert from "node:assert/strict";
import fc from "fast-check";
import {
  afterInput,
  type Health,
  type HealthInput,
  type HealthRule,
  type HealthState,
  initialHealth,
  isUp,
  PACE,
  topLevel,
  TRANSITIONS,
  underRule,
} from "../../../healthcheck/health.ts";

const INPUTS = ["success", "failure", "passive-failure", "eject", "return", "reset"] as const;
const STATES = ["up", "failing", "down", "recovering", "ejected"] as const;

/** All rules with counters from 1 to 4; more only lengthens the same ladder. */
const RULES: readonly HealthRule[] = [1, 2, 3, 4].flatMap((rise) =>
  [1, 2, 3, 4].flatMap((fall) =>
    (["up", "down"] as const).map((initialState): HealthRule => ({ rise, fall, initialState }))
  )
);

/** Every health there is under a rule, with the state that belongs to each level. */
function everyHealth(rule: HealthRule): Health[] {
  const levels = Array.from({ length: rule.rise + rule.fall }, (_, level): Health => {
    const top = rule.rise + rule.fall - 1;
    const state = level === top ? "up" : level >= rule.rise ? "failing" : level > 0 ? "recovering" : "down";
    return { state, level };
  });
  return [...levels, { state: "ejected", level: 0 }];
}

/** HAProxy's words (check.c), written down a second time. */
function haproxy(level: number, passed: boolean, { rise, fall }: HealthRule): number {
  if (passed) {
    if (level < rise + fall - 1) level++;
    return level >= rise ? rise + fall - 1 : level;
  }
  if (level >= rise) level--;
  return level >= rise ? level : 0;
}

Deno.test("health: the table has a cell for every state and input, and no other", () => {
  assert.deepEqual(Object.keys(TRANSITIONS).sort(), [...STATES].sort());
  for (const state of STATES) assert.deepEqual(Object.keys(TRANSITIONS[state]).sort(), [...INPUTS].sort());
  assert.deepEqual(Object.keys(PACE).sort(), [...STATES].sort());
});

Deno.test("health: results move the level as HAProxy's counter does, from every level of every rule", () => {
  for (const rule of RULES) {
    for (const health of everyHealth(rule)) {
      if (health.state === "ejected") continue;
      for (
        const [input, passed] of [["success", true], ["failure", false], ["passive-failure", false]] as const
      ) {
        const next = afterInput(health, input, rule);
        assert.equal(
          next.level,
          haproxy(health.level, passed, rule),
          JSON.stringify({ rule, health, input }),
        );
      }
    }
  }
});

Deno.test("health: after every step the state is the one that belongs to the level", () => {
  for (const rule of RULES) {
    for (const health of everyHealth(rule)) {
      for (const input of INPUTS) {
        const next = afterInput(health, input, rule);
        const known = everyHealth(rule).some((it) => it.state === next.state && it.level === next.level);
        assert.ok(known, JSON.stringify({ rule, health, input, next }));
      }
    }
  }
});

Deno.test("health: ejection, return and reset, from every level of every rule", () => {
  for (const rule of RULES) {
    const initial = initialHealth(rule);
    for (const health of everyHealth(rule)) {
      const ejected = afterInput(health, "eject", rule);
      assert.deepEqual(ejected, isUp(health) ? { state: "ejected", level: 0 } : health);
      const returned = afterInput(health, "return", rule);
      assert.deepEqual(
        returned,
        health.state === "ejected" ? { state: "up", level: topLevel(rule) } : health,
      );
      assert.deepEqual(afterInput(health, "reset", rule), initial);
    }
    // Brought into the hands of a check by a reload: it starts from the bottom.
    const ejected: Health = { state: "ejected", level: 0 };
    assert.equal(afterInput(ejected, "failure", rule).state, "down");
    assert.equal(afterInput(ejected, "success", rule).state, rule.rise === 1 ? "up" : "recovering");
    assert.deepEqual(afterInput(ejected, "passive-failure", rule), ejected);
  }
});

Deno.test("health: before any result, one result decides", () => {
  for (const rule of RULES) {
    const initial = initialHealth(rule);
    assert.equal(isUp(initial), rule.initialState === "up");
    const surprise = rule.initialState === "up" ? "failure" : "success";
    assert.equal(isUp(afterInput(initial, surprise, rule)), rule.initialState !== "up");
    assert.ok(["up", "down"].includes(afterInput(initial, surprise, rule).state), "settled at once");
    const confirmation = rule.initialState === "up" ? "success" : "failure";
    assert.equal(afterInput(initial, confirmation, rule).state, rule.initialState);
  }
});

Deno.test("health: the interval is fast exactly while a change is being confirmed", () => {
  const paces: Record<HealthState, string> = {
    up: "normal",
    failing: "fast",
    down: "down",
    recovering: "fast",
    ejected: "down",
  };
  assert.deepEqual(PACE, paces);
});

Deno.test("health: a new rule never changes up or down, and keeps what was counted", () => {
  for (const from of RULES) {
    for (const to of RULES) {
      for (const health of everyHealth(from)) {
        const moved = underRule(health, from, to);
        assert.equal(isUp(moved), isUp(health), JSON.stringify({ from, to, health }));
        assert.ok(everyHealth(to).some((it) => it.state === moved.state && it.level === moved.level));
        if (health.state === "up") assert.equal(moved.state, "up");
        if (health.state === "down") assert.equal(moved.state, "down");
      }
      for (const health of everyHealth(from)) assert.deepEqual(underRule(health, from, from), health);
    }
  }
  const three: HealthRule = { rise: 2, fall: 3, initialState: "up" };
  const five: HealthRule = { ...three, fall: 5 };
  const once = afterInput({ state: "up", level: 4 }, "failure", three);
  assert.deepEqual(
    underRule(once, three, five),
    { state: "failing", level: 5 },
    "one failure is still one failure",
  );
});

const rule: fc.Arbitrary<HealthRule> = fc.record({
  rise: fc.integer({ min: 1, max: 20 }),
  fall: fc.integer({ min: 1, max: 20 }),
  initialState: fc.constantFrom("up", "down"),
});
const inputs: fc.Arbitrary<HealthInput[]> = fc.array(fc.constantFrom(...INPUTS), { maxLength: 200 });

function walk(rule: HealthRule, path: readonly HealthInput[], from = initialHealth(rule)): Health {
  return path.reduce((health, input) => afterInput(health, input, rule), from);
}

Deno.test("health, any path: rise successes in a row bring it up, fall failures in a row take it down", () => {
  fc.assert(fc.property(rule, inputs, (rule, path) => {
    const health = walk(rule, path);
    assert.ok(isUp(walk(rule, Array(rule.rise).fill("success"), health)));
    assert.ok(!isUp(walk(rule, Array(rule.fall).fill("failure"), health)));
  }));
});

Deno.test("health, any path: once settled, fewer than rise or fall of a kind in a row change nothing", () => {
  fc.assert(fc.property(rule, inputs, fc.array(fc.nat(30)), (rule, path, runs) => {
    const settled = [...path, ...Array(rule.rise).fill("success")];
    let up = walk(rule, settled);
    let down = walk(rule, Array(rule.fall).fill("failure"), up);
    for (const run of runs) {
      up = walk(rule, [...Array(run % rule.fall).fill("failure"), "success"], up);
      down = walk(rule, [...Array(run % rule.rise).fill("success"), "failure"], down);
      assert.ok(isUp(up) && !isUp(down));
    }
  }));
});

Deno.test("health: flapping 1:1 with fall 3 never changes state", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 9 }), fc.nat(200), fc.boolean(), (rise, times, goodFirst) => {
      const rule: HealthRule = { rise, fall: 3, initialState: "up" };
      const pair: HealthInput[] = goodFirst ? ["success", "failure"] : ["failure", "success"];
      let up: Health = { state: "up", level: topLevel(rule) };
      let down: Health = { state: "down", level: 0 };
      for (let i = 0; i < times; i++) {
        up = walk(rule, pair, up);
        down = walk(rule, pair, down);
        assert.ok(isUp(up) && !isUp(down));
      }
    }),
  );
});
