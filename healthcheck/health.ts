/**
 * The health of one destination as a table: the counter of HAProxy's checks, and ejection by live traffic.
 *
 * A level counts from 0 to rise + fall - 1; at `rise` and above the destination is up. A success lifts the level by one, and
 * from `rise` on to the top at once; a failure lowers it by one, and below `rise` to 0 at once. So `fall` failures in a row
 * take a settled destination down, `rise` successes in a row bring it up, and one odd result between them starts the count anew.
 *
 * @module
 */

/** `up` and `down` are settled; `failing` is still up and `recovering` still down while a change is confirmed. */
export type HealthState = "up" | "failing" | "down" | "recovering" | "ejected";

/**
 * What can happen: results of checks, enough failed connects in a row beside a check (`passive-failure`) or without one
 * (`eject`), the end of an ejection (`return`), and an administrator who has all evidence forgotten (`reset`).
 */
export type HealthInput = "success" | "failure" | "passive-failure" | "eject" | "return" | "reset";

/** Which interval comes next. */
export type Pace = "normal" | "fast" | "down";

/** How many results a change takes and where the level starts. */
export interface HealthRule {
  /** Successes that bring a settled destination up, 1 or more. */
  readonly rise: number;
  /** Failures that bring a settled destination down, 1 or more. */
  readonly fall: number;
  readonly initialState: "up" | "down";
}

/** A destination's place in the table. */
export interface Health {
  readonly state: HealthState;
  /** 0 to rise + fall - 1; up at `rise` and above. */
  readonly level: number;
}

type Move = "hold" | "climb" | "sink" | "floor" | "top" | "start" | "eject";

/** The whole machine: state x input. */
// deno-fmt-ignore
export const TRANSITIONS: Readonly<Record<HealthState, Readonly<Record<HealthInput, Move>>>> = {
  up:         { success: "hold",  failure: "sink",  "passive-failure": "sink",  eject: "eject", return: "hold", reset: "start" },
  failing:    { success: "top",   failure: "sink",  "passive-failure": "sink",  eject: "eject", return: "hold", reset: "start" },
  down:       { success: "climb", failure: "floor", "passive-failure": "floor", eject: "hold",  return: "hold", reset: "start" },
  recovering: { success: "climb", failure: "floor", "passive-failure": "floor", eject: "hold",  return: "hold", reset: "start" },
  // An ejected destination has no check; results reach it only when a reload has just given it one.
  ejected:    { success: "climb", failure: "floor", "passive-failure": "hold",  eject: "hold",  return: "top",  reset: "start" },
};

/** The next interval of each state: fast while a change is being confirmed. */
export const PACE: Readonly<Record<HealthState, Pace>> = {
  up: "normal",
  failing: "fast",
  recovering: "fast",
  down: "down",
  ejected: "down",
};

const LEVEL_AFTER: Readonly<Record<Move, (level: number, rule: HealthRule) => number>> = {
  hold: (level) => level,
  climb: (level, rule) => level + 1 < rule.rise ? level + 1 : topLevel(rule),
  sink: (level, rule) => level > rule.rise ? level - 1 : 0,
  floor: () => 0,
  top: (_, rule) => topLevel(rule),
  // One result decides the first time: rise is one failure away from down, rise - 1 one success away from up.
  start: (_, rule) => rule.initialState === "up" ? rule.rise : rule.rise - 1,
  eject: () => 0,
};

/** Health before any result. */
export function initialHealth(rule: HealthRule): Health {
  return healthAt(LEVEL_AFTER.start(0, rule), rule);
}

/**
 * One step through the table.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const rule = { rise: 2, fall: 3, initialState: "up" } as const;
 * let health = afterInput({ state: "up", level: 4 }, "failure", rule);
 * assert.equal(health.state, "failing");
 * health = afterInput(health, "success", rule);
 * assert.deepEqual(health, { state: "up", level: 4 });
 * ```
 */
export function afterInput(health: Health, input: HealthInput, rule: HealthRule): Health {
  const move = TRANSITIONS[health.state][input];
  if (move === "hold") return health;
  const level = LEVEL_AFTER[move](health.level, rule);
  return move === "eject" ? { state: "ejected", level } : healthAt(level, rule);
}

/**
 * The same health under a new rule, for a reload: up stays up, down stays down, and failures or successes counted so far
 * stay counted, short of a change of state.
 */
export function underRule(health: Health, from: HealthRule, to: HealthRule): Health {
  if (health.state === "ejected") return health;
  const level = isUp(health)
    ? Math.max(to.rise, topLevel(to) - (topLevel(from) - health.level))
    : Math.min(health.level, to.rise - 1);
  return healthAt(level, to);
}

/** Whether a destination in this health takes new connections. */
export function isUp(health: Health): boolean {
  return health.state === "up" || health.state === "failing";
}

/** The highest level: settled up. */
export function topLevel(rule: HealthRule): number {
  return rule.rise + rule.fall - 1;
}

function healthAt(level: number, rule: HealthRule): Health {
  if (level >= rule.rise) return { state: level === topLevel(rule) ? "up" : "failing", level };
  return { state: level === 0 ? "down" : "recovering", level };
}
