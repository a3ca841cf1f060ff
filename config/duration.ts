/**
 * Durations as people write them: one whole or decimal number and its unit.
 *
 * @module
 */
import { ValueError } from "../errors.ts";

const UNIT_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
type Unit = keyof typeof UNIT_MS;

/** Regular expression of a duration, for the JSON Schema. */
export const DURATION_PATTERN = "^\\d+(\\.\\d+)?(ms|s|m|h|d)$";

const EXAMPLES = "500ms, 30s, 5m, 2h or 1d";

/**
 * Milliseconds of `500ms`, `1.5s`, `5m`, `2h`, `1d`.
 *
 * @throws {ValueError} `DURATION_INVALID`; the message begins with the value and names the likely wish.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(parseDuration("1.5s"), 1_500);
 * assert.equal(parseDuration("2h"), 7_200_000);
 * assert.throws(() => parseDuration("1h30m"), /did you mean "90m"/);
 * ```
 */
export function parseDuration(text: string): number {
  const match = new RegExp(DURATION_PATTERN).exec(text);
  if (match === null) throw invalid(text);
  const ms = parseFloat(text) * UNIT_MS[match[2] as Unit];
  // 0.1s is 100 ms although 0.1 * 1,000 may not be exact; 0.3ms is nothing that a timer can keep.
  const rounded = Math.round(ms);
  if (!Number.isSafeInteger(rounded) || Math.abs(ms - rounded) > 1e-6) {
    throw new ValueError("DURATION_INVALID", `"${text}" is not a whole number of milliseconds`, {
      value: text,
    });
  }
  return rounded;
}

/** The shortest exact text of a whole number of milliseconds: `90_000` is `90s`, `60_000` is `1m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  for (const [unit, size] of Object.entries(UNIT_MS)) {
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** What is wrong with a number that stands where a duration is wanted; begins with the value. */
export function missingUnit(value: number): string {
  return `${value} has no unit; write ${value}s for seconds (units: ms, s, m, h, d)`;
}

function invalid(text: string): ValueError {
  if (/^\d+(\.\d+)?$/.test(text)) {
    return new ValueError("DURATION_INVALID", missingUnit(Number(text)), { value: text });
  }
  const wish = likelyWish(text);
  const hint = wish === undefined ? "" : `; did you mean "${wish}"?`;
  return new ValueError(
    "DURATION_INVALID",
    `${JSON.stringify(text)} is not a duration; write one number and a unit: ${EXAMPLES}${hint}`,
    { value: text },
  );
}

/** Reads `1h30m`, `5 min`, `30 Seconds` for a hint. */
function likelyWish(text: string): string | undefined {
  const compact = text.toLowerCase().replace(/[\s_,]|and/g, "");
  if (!/^(\d+(\.\d+)?[a-z]+)+$/.test(compact)) return undefined;
  let ms = 0;
  for (const [, number, word] of compact.matchAll(/(\d+(?:\.\d+)?)([a-z]+)/g)) {
    const unit = unitOf(word ?? "");
    if (unit === undefined) return undefined;
    ms += Number(number) * UNIT_MS[unit];
  }
  return Number.isSafeInteger(ms) ? formatDuration(ms) : undefined;
}

function unitOf(word: string): Unit | undefined {
  if (/^(ms|msecs?|millis(econds?)?)$/.test(word)) return "ms";
  if (/^(s|secs?|seconds?)$/.test(word)) return "s";
  if (/^(m|mins?|minutes?)$/.test(word)) return "m";
  if (/^(h|hrs?|hours?)$/.test(word)) return "h";
  return /^(d|days?)$/.test(word) ? "d" : undefined;
}
