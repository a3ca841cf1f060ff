import assert from "node:assert/strict";
import fc from "fast-check";
import { formatDuration, parseDuration } from "../../../config/duration.ts";

Deno.test("duration: every unit, whole and decimal", () => {
  const expected = {
    "0s": 0,
    "500ms": 500,
    "0.5s": 500,
    "30s": 30_000,
    "1.25m": 75_000,
    "2h": 7_200_000,
    "1d": 86_400_000,
    "0.1s": 100,
  };
  for (const [text, ms] of Object.entries(expected)) assert.equal(parseDuration(text), ms, text);
});

Deno.test("duration: what is formatted is read back", () => {
  fc.assert(fc.property(fc.nat(2 ** 31 - 1), (ms) => assert.equal(parseDuration(formatDuration(ms)), ms)));
});

Deno.test("duration: a wrong one says what was likely meant", () => {
  const hints: Readonly<Record<string, RegExp>> = {
    "30": /^30 has no unit; write 30s/,
    "1h30m": /did you mean "90m"\?/,
    "5 min": /did you mean "5m"\?/,
    "10 Seconds": /did you mean "10s"\?/,
    "1 day and 2 hours": /did you mean "26h"\?/,
    "2w": /is not a duration; write one number and a unit: 500ms, 30s, 5m, 2h or 1d$/,
    "-5s": /is not a duration/,
    "": /is not a duration/,
    "0.3ms": /not a whole number of milliseconds/,
    "99999999999999d": /not a whole number of milliseconds/,
  };
  for (const [text, message] of Object.entries(hints)) {
    assert.throws(() => parseDuration(text), { message }, text);
  }
});
