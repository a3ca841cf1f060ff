/** Section 14 of the schedulers' description, with the random numbers written down. */
import assert from "node:assert/strict";
import type { Random } from "../../../net/random.ts";
import { Letters } from "./letters.ts";

/** Numbers in the order in which they are drawn, and the limits that were asked for. */
class Drawn implements Random {
  readonly limits: number[] = [];
  readonly #numbers: number[];

  constructor(...numbers: number[]) {
    this.#numbers = numbers;
  }

  below(limit: number): number {
    this.limits.push(limit);
    const number = this.#numbers.shift();
    assert.ok(number !== undefined && number < limit, `${number} of ${limit}`);
    return number;
  }
}

/** The server that a draw falls on: nobody has a connection, so the first choice wins. */
const OWNERS: readonly [list: string, owners: string][] = [
  ["B1 A1", "B B A"],
  ["C1 B1 A1", "C C B A"],
  ["C3 B2 A1", "C C C C B B A"],
  ["C2 B0 A2", "C C C A A"],
];

for (const [list, owners] of OWNERS) {
  Deno.test(`twos on ${list}: draws from 0 up fall on ${owners}`, () => {
    for (const [draw, owner] of owners.split(" ").entries()) {
      const random = new Drawn(draw, 0);
      assert.equal(new Letters("twos", list, { random }).ask(), owner, `draw ${draw}`);
      const total = owners.split(" ").length;
      assert.deepEqual(random.limits, [total, total], "both ends can be drawn");
    }
  });
}

/** Overhead over weight on C3 B2 A1: C 768/3, B 768/2, A 256/1. The draws 1, 4 and 6 fall on C, B and A. */
const LOADED: readonly [first: number, second: number, chosen: string][] = [
  [1, 4, "C"],
  [4, 1, "C"],
  [4, 6, "A"],
  [6, 4, "A"],
  [4, 4, "B"],
  // 256 each: the second has to be better to win.
  [1, 6, "C"],
  [6, 1, "A"],
];

for (const [first, second, chosen] of LOADED) {
  Deno.test(`twos on a loaded C3 B2 A1: draws ${first} and ${second} choose ${chosen}`, () => {
    const letters = new Letters("twos", "C3 B2 A1", { random: new Drawn(first, second) });
    for (const [name, active] of [["C", 3], ["B", 3], ["A", 1]] as const) letters.load(name, active);
    assert.equal(letters.ask(), chosen);
  });
}

Deno.test("twos: an overloaded or quiesced server has no share, and without any nothing is drawn", () => {
  const letters = new Letters("twos", "C3 B2 A1", { random: new Drawn(0, 0) });
  letters.service.server(letters.of("C")).overloaded = true;
  assert.equal(letters.ask(), "B");
  letters.service.setWeight(letters.of("B"), 0);
  letters.service.server(letters.of("A")).overloaded = true;
  assert.equal(letters.ask(), "-");
});

Deno.test("twos: the sum of the weights is a 32-bit integer, as in the kernel", () => {
  const heaviest = 2 ** 31 - 1;
  const random = new Drawn(2 ** 32 - 2, 5);
  // Twice 2^31 - 1 wraps to -2, so the limit is 2^32 - 1. The draw of -2, less the first weight, wraps to 2^31 - 1: not B's.
  assert.equal(new Letters("twos", `B${heaviest} A${heaviest}`, { random }).ask(), "A");
  assert.deepEqual(random.limits, [2 ** 32 - 1, 2 ** 32 - 1]);
  const full = new Drawn();
  assert.equal(new Letters("twos", `C${heaviest} B${heaviest} A1`, { random: full }).ask(), "C");
  assert.deepEqual(full.limits, [], "a sum of 2^32 - 1 leaves nothing to draw from");
});
