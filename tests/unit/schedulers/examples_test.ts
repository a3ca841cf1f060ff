/**
 * The worked examples of the schedulers' description: which server gets the first connections, none of them ending.
 */
import assert from "node:assert/strict";
import { PROTOCOL } from "../../../net/flow.ts";
import { findScheduler } from "../../../schedulers/registry.ts";
import { Letters } from "./letters.ts";

const FIRST_PICKS: readonly [scheduler: string, list: string, picks: string][] = [
  ["rr", "C1 B1 A1", "C B A C B A C"],
  ["rr", "C1 B5 A2", "C B A C B A C"],
  ["rr", "C1 B0 A1", "C A C A"],
  ["rr", "C0 B0", "- - -"],
  // Added one by one the level starts at 1 and not at the top: one lap of one each comes first.
  ["wrr", "A4 B3 C2", "A B C A A B A B C A B C A A B A B C"],
  ["wrr", "C2 B3 A4", "C B A A B A C B A C B A A B A C B A"],
  ["wrr", "A4 B2", "A B A A B A A B"],
  ["wrr", "A6 B3 C3", "A B C A A B C A A B C"],
  ["wrr", "C1 B0 A5", "C A A A A A C A A A A A"],
  ["wrr", "C0 B0", "- -"],
  ["lc", "C1 B2 A3", "C B A C B A C B A"],
  ["lc", "C1 B0 A3", "C A C A"],
  ["wlc", "C1 B2 A3", "C B A A B A C B A A B A"],
  ["wlc", "A3 B2 C1", "A B C A B A A B C A B A"],
  ["wlc", "C1 B1 A1", "C B A C B A C B A C B A"],
  ["wlc", "C0 B1 A1", "B A B A"],
  ["sed", "C1 B2 A3", "A B A C B A A B A C B A"],
  ["sed", "A3 B2 C1", "A B A A B C A B A A B C"],
  ["sed", "C1 B1 A1", "C B A C B A"],
  ["nq", "C1 B2 A3", "C B A A B A A B A C B A"],
  ["nq", "A3 B2 C1", "A B C A A B A B A A B C"],
  ["nq", "C0 B1 A1", "B A B A"],
  ["fo", "C1 B2 A3", "A A A A"],
  ["fo", "C2 B2 A1", "C C C C"],
  ["fo", "C0 B0", "- -"],
  // A weight of w takes w + 1.
  ["ovf", "C1 B2 A3", "A A A A B B B C C - - -"],
  ["ovf", "C1 B1 A1", "C C B B A A -"],
  ["ovf", "C0 B1", "B B -"],
];

for (const [scheduler, list, picks] of FIRST_PICKS) {
  Deno.test(`${scheduler} on ${list} chooses ${picks}`, () => new Letters(scheduler, list).expect(picks));
}

const FRESH_WRR: readonly [list: string, picks: string][] = [
  ["A4 B3 C2", "A A B A B C A B C A A B A B C A B C"],
  ["C2 B3 A4", "A B A C B A C B A A B A C B A C B A"],
  ["A4 B2", "A A B A A B"],
  ["A6 B3 C3", "A A B C A A B C"],
  ["C1 B0 A5", "A A A A C A A A A A C A"],
];

for (const [list, picks] of FRESH_WRR) {
  Deno.test(`wrr started on ${list} (switched to it) chooses ${picks}`, () => {
    const letters = started("wrr", list);
    letters.expect(picks);
  });
}

function started(scheduler: string, list: string): Letters {
  const letters = new Letters(scheduler, list);
  findScheduler(scheduler)?.start(letters.service, letters.service.cells);
  return letters;
}

Deno.test("rr: the cursor's server leaves, and the one behind it is next", () => {
  const letters = new Letters("rr", "C1 B1 A1");
  letters.expect("C");
  letters.service.remove(letters.of("C"));
  letters.expect("B A B");
});

Deno.test("rr: a weight of 0 skips a server, and a weight edit does not move the cursor", () => {
  const letters = new Letters("rr", "C1 B1 A1");
  letters.expect("C B");
  letters.service.setWeight(letters.of("A"), 0);
  letters.expect("C B C");
  letters.service.setWeight(letters.of("A"), 9);
  letters.expect("B A C");
});

Deno.test("rr: a server added at the head is reached when the lap is over", () => {
  const early = new Letters("rr", "C1 B1 A1");
  early.expect("C");
  early.add("D1");
  early.expect("B A D C");
  const late = new Letters("rr", "C1 B1 A1");
  late.expect("C B A");
  late.add("D1");
  late.expect("D C");
});

Deno.test("rr: a refusal leaves the cursor where it was", () => {
  const letters = new Letters("rr", "C1 B1 A1");
  letters.expect("C");
  for (const name of "ABC") letters.service.server(letters.of(name)).overloaded = true;
  letters.expect("- -");
  for (const name of "ABC") letters.service.server(letters.of(name)).overloaded = false;
  letters.expect("B");
});

Deno.test("wrr: an overloaded server is left out level by level", () => {
  const letters = started("wrr", "A4 B3 C2");
  letters.service.server(letters.of("A")).overloaded = true;
  letters.expect("B B C B C B B C B C");
});

Deno.test("wrr: a change in mid-lap starts at the head with the level fitted to the new weights", () => {
  const letters = started("wrr", "A4 B3 C2");
  letters.expect("A A B A");
  letters.service.setWeight(letters.of("B"), 0);
  letters.expect("A A C A A C");
});

Deno.test("wrr: all overloaded, the search ends, and later goes on from the head", () => {
  const letters = started("wrr", "A4 B3 C2");
  letters.expect("A A B");
  for (const name of "ABC") letters.service.server(letters.of(name)).overloaded = true;
  letters.expect("- - -");
  for (const name of "ABC") letters.service.server(letters.of(name)).overloaded = false;
  const lap = letters.next(9).split(" ").sort().join("");
  assert.equal(lap, "AAAABBBCC");
});

Deno.test("fo: the heaviest one serves again as soon as it may", () => {
  const letters = new Letters("fo", "C1 B2 A3");
  letters.expect("A A");
  letters.service.server(letters.of("A")).overloaded = true;
  letters.service.setWeight(letters.of("B"), 0);
  letters.expect("C C");
  letters.service.setWeight(letters.of("B"), 2);
  letters.expect("B B");
  letters.service.server(letters.of("A")).overloaded = false;
  letters.expect("A A");
});

Deno.test("ovf: a threshold closes a server before its weight does", () => {
  const letters = new Letters("ovf", "C1 A3");
  letters.expect("A");
  letters.service.server(letters.of("A")).overloaded = true;
  letters.expect("C C -");
});

Deno.test("UDP is never active: sed keeps to the fastest, nq to the first, ovf never overflows", () => {
  for (const [scheduler, picks] of [["sed", "A A A A"], ["nq", "C C C C"], ["ovf", "A A A A A A"]] as const) {
    const letters = new Letters(scheduler, "C1 B2 A3");
    letters.service.question.flow.protocol = PROTOCOL.udp;
    letters.expect(picks);
  }
});

Deno.test("lc and wlc still balance UDP, whose connections are never active", () => {
  for (const [scheduler, picks] of [["lc", "C B A C B A"], ["wlc", "C B A A B A C"]] as const) {
    const letters = new Letters(scheduler, "C1 B2 A3");
    letters.service.question.flow.protocol = PROTOCOL.udp;
    letters.expect(picks);
  }
});

Deno.test("wlc: 256 for weight 1 is more than 522 for weight 3", () => {
  const letters = new Letters("wlc", "C1 A3");
  const [heavy, light] = [letters.service.server(letters.of("A")), letters.service.server(letters.of("C"))];
  light.activeConns = 1;
  heavy.activeConns = 2;
  heavy.inactiveConns = 10;
  letters.expect("A");
});

Deno.test("lc compares unsigned: 2^23 active connections are the largest load, not the smallest", () => {
  const letters = new Letters("lc", "C1 A1");
  letters.service.server(letters.of("C")).activeConns = 2 ** 23;
  letters.service.server(letters.of("A")).activeConns = 2 ** 23 - 1;
  letters.expect("A");
});
