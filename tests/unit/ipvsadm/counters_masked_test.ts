/** How the replay of recordings looks at counters of traffic that it has not seen. */
import assert from "node:assert/strict";
import { firstOtherLine } from "../../oracle/counters_masked.ts";

const OWN = "  -> 10.2.0.2:8080                       0        0        0        0        0";

const EQUAL = [
  "  -> 10.2.0.2:8080                       4       22       18     1180     1104",
  "  -> 10.2.0.2:8080                       4       22       18  117002K     1104",
  // --exact: a number of nine digits pushes the next one.
  "  -> 10.2.0.2:8080                       4       22       18 117002123     1104",
];
const OTHER: readonly [what: string, row: string][] = [
  ["a column too narrow", "  -> 10.2.0.2:8080                       4       22       18    1180     1104"],
  ["a column too wide", "  -> 10.2.0.2:8080                       4       22       18      1180     1104"],
  ["another server", "  -> 10.2.0.3:8080                       4       22       18     1180     1104"],
  ["a column less", "  -> 10.2.0.2:8080                       4       22       18     1180"],
];

Deno.test("masked counters: only digits may differ, and only where something was counted", () => {
  for (const row of EQUAL) assert.equal(firstOtherLine(OWN, row), undefined, row);
  for (const [what, row] of OTHER) assert.notEqual(firstOtherLine(OWN, row), undefined, what);
  const counted = OWN.replace(/ 0$/, " 7");
  assert.notEqual(firstOtherLine(counted, OWN), undefined, "a count that the recording has not");
});

Deno.test("masked counters: left-aligned connections, with persistent ones under their title", () => {
  const own = "  -> 10.2.0.1:80                  Masq    1      0          0         ";
  assert.equal(firstOtherLine(own, own.replace(/0 {10}0/, "2          1")), undefined);
  assert.notEqual(firstOtherLine(own, own.replace("Masq    1", "Masq    2")), undefined);
  assert.notEqual(firstOtherLine(own, own.trimEnd().replace(/0$/, "3")), undefined);
  const title = "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n";
  const row = "  -> 10.2.0.1:80                  1         0           0          0         ";
  assert.equal(firstOtherLine(title + row, title + row.replace("0           0", "2           0")), undefined);
});
