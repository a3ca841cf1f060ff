/** dh, lblc and lblcr: sections 5 to 7 of the schedulers' description. */
import assert from "node:assert/strict";
import { findScheduler } from "../../../schedulers/registry.ts";
import { Letters } from "./letters.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

Deno.test("dh: buckets go round the list, whatever the weights, and 192.0.2.1 has bucket 50", () => {
  for (const list of ["C1 B1 A1", "C9 B5 A1"]) {
    const letters = new Letters("dh", list);
    const { cells } = letters.service;
    assert.deepEqual([...cells.slice(0, 4)], ["C", "B", "A", "C"].map((name) => letters.of(name)));
    letters.aim("192.0.2.1").expect("A A A");
    letters.aim("192.0.2.2").expect("B B"); // bucket 148
    letters.aim("192.0.2.3").expect("C"); // bucket 246
  }
});

Deno.test("dh: a server that may not be used has no stand-in", () => {
  const letters = new Letters("dh", "C1 B1 A1");
  letters.aim("192.0.2.1").service.server(letters.of("A")).overloaded = true;
  letters.expect("- -");
  letters.service.server(letters.of("A")).overloaded = false;
  letters.service.server(letters.of("A")).available = false;
  letters.expect("-");
  letters.service.server(letters.of("A")).available = true;
  letters.service.setWeight(letters.of("A"), 0);
  letters.expect("-");
  letters.service.remove(letters.of("A"));
  letters.expect("C"); // bucket 50 of C B C B ...
});

Deno.test("dh and lblc: of a packet quoted in an ICMP error the address written as destination counts, the client's", () => {
  for (const scheduler of ["dh", "lblc", "lblcr"]) {
    const letters = new Letters(scheduler, "C1 B1 A1");
    const { question } = letters.service;
    const inOrder = letters.aim("192.0.2.1").ask();
    letters.load("A", 1);
    letters.load("C", 1);
    question.inverse = true;
    // The client's address is 192.0.2.2 now, the virtual one does not matter.
    const quoted = letters.aim("198.51.100.9").service.pick("192.0.2.2");
    question.inverse = false;
    assert.equal(letters.aim("192.0.2.2").service.pick("198.51.100.1"), quoted, scheduler);
    assert.equal(letters.aim("192.0.2.1").ask(), inOrder, scheduler);
  }
});

for (const scheduler of ["lblc", "lblcr"]) {
  Deno.test(`${scheduler}: an address stays with its server, other addresses go to the least loaded`, () => {
    const letters = new Letters(scheduler, "C1 B1 A1");
    letters.aim("198.51.100.1").expect("C C");
    letters.aim("198.51.100.2").expect("B");
    letters.aim("198.51.100.3").expect("A");
    letters.aim("2001:db8::1").expect("B");
    letters.aim("198.51.100.1").expect("C");
  });

  Deno.test(`${scheduler}: overrun is more connections than the weight while another one is less than half busy`, () => {
    for (const [other, chosen] of [[4, "A"], [5, "B"]] as const) {
      const letters = new Letters(scheduler, "B10 A10").aim("198.51.100.1");
      letters.expect("B");
      letters.load("A", other);
      letters.load("B", 10);
      assert.equal(letters.ask(), "B", "10 of 10");
      letters.load("B", 11);
      assert.equal(letters.ask(), chosen, `11 of 10, the other one has ${other}`);
    }
  });

  Deno.test(`${scheduler}: with weights of 1 only an idle server takes over`, () => {
    const letters = new Letters(scheduler, "B1 A1").aim("198.51.100.1");
    letters.expect("B B A");
  });

  Deno.test(`${scheduler}: a quiesced or deleted server is left, and is back when it returns unchanged`, () => {
    const letters = new Letters(scheduler, "C1 B1 A1").aim("198.51.100.1");
    letters.expect("C");
    const handle = letters.of("C");
    assert.ok(letters.service.question.lblcExpirationMs === undefined);
    letters.service.remove(handle);
    letters.service.server(letters.of("B")).overloaded = true;
    letters.service.server(letters.of("A")).overloaded = true;
    letters.expect("- -");
    letters.service.revive(handle);
    letters.expect("C");
    letters.service.setWeight(handle, 0);
    letters.expect("-");
    letters.service.server(letters.of("A")).overloaded = false;
    letters.expect("A");
  });

  Deno.test(`${scheduler}: an address not used for a day is forgotten by the next full check, every 30 minutes`, () => {
    for (
      const [idleMs, isForgotten] of [[DAY_MS - MINUTE_MS, false], [DAY_MS + 31 * MINUTE_MS, true]] as const
    ) {
      const letters = new Letters(scheduler, "B1 A1").aim("198.51.100.1");
      assert.equal(letters.ask(), "B");
      letters.load("B", 1);
      letters.service.nowMs = idleMs;
      assert.equal(letters.ask(), isForgotten ? "A" : "B");
    }
  });

  Deno.test(`${scheduler}: full checks are thirty minutes apart`, () => {
    const letters = new Letters(scheduler, "B1 A1");
    const { service } = letters;
    service.question[scheduler === "lblc" ? "lblcExpirationMs" : "lblcrExpirationMs"] = 1_000;
    const entriesAt = (minutes: number, address: string) => {
      service.nowMs = minutes * MINUTE_MS;
      letters.aim(address).ask();
      return service.cells[0];
    };
    assert.equal(entriesAt(0, "198.51.100.1"), 1);
    assert.equal(entriesAt(29.5, "198.51.100.2"), 2);
    assert.equal(entriesAt(30.5, "198.51.100.3"), 1, "both were too old at the half hour");
    assert.equal(entriesAt(59.5, "198.51.100.4"), 2);
    assert.equal(entriesAt(60.5, "198.51.100.5"), 1);
  });

  Deno.test(`${scheduler}: above 16,384 addresses those idle for six minutes make room, a few at a time`, () => {
    const letters = new Letters(scheduler, "B1000000 A1000000");
    const ask = (count: number) => {
      for (let i = 0; i < count; i++) {
        letters.aim(`10.${i >> 16}.${i >> 8 & 255}.${i & 255}`).ask();
      }
    };
    const entries = () => letters.service.cells[0] ?? 0;
    ask(16_384);
    letters.service.nowMs = 5 * MINUTE_MS;
    letters.aim("192.0.2.1").ask();
    assert.equal(entries(), 16_385, "nobody has been idle long enough");
    letters.service.nowMs = 7 * MINUTE_MS;
    letters.aim("192.0.2.1").ask();
    // Four thirds of the surplus of 1 is a goal of 1, reached with the first bucket that holds an old one.
    const left = entries();
    assert.ok(left < 16_385 && left > 16_300, `${left}`);
    letters.service.nowMs = 8 * MINUTE_MS;
    letters.aim("192.0.2.1").ask();
    assert.equal(entries(), left, "not too many any more");
  });

  Deno.test(`${scheduler}: four thirds of the surplus go at once, half of the full size at most, to the end of a bucket`, () => {
    for (const [count, goal] of [[18_000, 2_154], [24_000, 8_192]] as const) {
      const letters = new Letters(scheduler, "B1000000 A1000000");
      for (let i = 0; i < count; i++) letters.aim(`10.${i >> 16}.${i >> 8 & 255}.${i & 255}`).ask();
      letters.service.nowMs = 6 * MINUTE_MS - 4;
      letters.aim("10.0.0.0").ask();
      assert.equal(letters.service.cells[0], count, "idle for five minutes at the fifth check");
      // The sixth check finds all but the last one idle for six minutes.
      letters.service.nowMs = 6 * MINUTE_MS;
      letters.aim("10.0.0.0").ask();
      const gone = count - (letters.service.cells[0] ?? 0);
      // A bucket of 1,024 has 24 at most here.
      assert.ok(gone >= goal && gone < goal + 30, `${gone} of ${count}, the goal is ${goal}`);
      const rover = letters.service.cells[2] ?? 0;
      const buckets = gone / count * 1_024;
      assert.ok(Math.abs(rover - buckets) < buckets / 5, `the next check goes on behind bucket ${rover}`);
    }
  });

  Deno.test(`${scheduler}: with no room for another address a server is still chosen`, () => {
    const letters = new Letters(scheduler, "B1000000 A1000000");
    for (let i = 0; i < 24_600; i++) {
      assert.notEqual(letters.aim(`10.1.${i >> 8}.${i & 255}`).ask(), "-");
    }
    assert.equal(letters.service.cells[0], 24_576);
  });

  Deno.test(`${scheduler}: remembers a deleted server while an address is mapped to it`, () => {
    const letters = new Letters(scheduler, "B1 A1").aim("198.51.100.1");
    const { service } = letters;
    const remembers = (name: string) =>
      findScheduler(scheduler)?.remembers?.(service.cells, letters.of(name)) ?? false;
    letters.expect("B");
    service.remove(letters.of("B"));
    assert.deepEqual([remembers("B"), remembers("A")], [true, false]);
    service.nowMs = 2 * DAY_MS;
    letters.aim("198.51.100.2").expect("A");
    assert.deepEqual([remembers("B"), remembers("A")], [false, true]);
  });
}

Deno.test("lblc moves an address to the other server, lblcr adds the other server to its set", () => {
  for (const [scheduler, later] of [["lblc", "A"], ["lblcr", "B"]] as const) {
    const letters = new Letters(scheduler, "B10 A10").aim("198.51.100.1");
    letters.expect("B");
    letters.load("B", 11);
    letters.expect("A");
    letters.load("B", 0);
    assert.equal(letters.ask(), later);
  }
});

Deno.test("lblcr: a set that has not changed for the expiration time loses its most loaded server", () => {
  const letters = new Letters("lblcr", "B10 A10").aim("198.51.100.1");
  const { service } = letters;
  service.question.lblcrExpirationMs = 3_000;
  letters.expect("B");
  letters.load("B", 11);
  assert.equal(letters.ask(), "A");
  letters.load("B", 4);
  letters.load("A", 3);
  service.nowMs = 3_000;
  assert.equal(letters.ask(), "A", "not longer than the expiration time yet");
  service.nowMs = 3_004;
  assert.equal(letters.ask(), "A", "B leaves the set here");
  letters.load("B", 0);
  assert.equal(letters.ask(), "A");
});

Deno.test("lblcr: the server that leaves the set is still used once when it is the least loaded that may be", () => {
  const letters = new Letters("lblcr", "B10 A10").aim("198.51.100.1");
  const { service } = letters;
  service.question.lblcrExpirationMs = 3_000;
  letters.expect("B");
  letters.load("B", 11);
  assert.equal(letters.ask(), "A");
  service.server(letters.of("A")).overloaded = true;
  letters.load("A", 1);
  letters.load("B", 2);
  service.nowMs = 4_000;
  assert.equal(letters.ask(), "B", "the most loaded, and the only one that is not overloaded");
  service.server(letters.of("A")).overloaded = false;
  letters.load("B", 0);
  assert.equal(letters.ask(), "A", "B has left the set");
});

/** Members of the one address's set, by name. */
function members(letters: Letters, names: readonly string[]): string {
  const { cells } = letters.service;
  return names.filter((it) => findScheduler("lblcr")?.remembers?.(cells, letters.of(it))).join("");
}

Deno.test("lblcr: one server leaves the set, and the next one after the expiration time has passed again", () => {
  const letters = new Letters("lblcr", "C10 B10 A10").aim("198.51.100.1");
  const { service } = letters;
  service.question.lblcrExpirationMs = 3_000;
  for (const [name, next] of [["C", "B"], ["B", "A"]] as const) {
    letters.ask();
    letters.load(name, 11);
    assert.equal(letters.ask(), next);
  }
  const set = () => members(letters, ["A", "B", "C"]);
  letters.load("C", 9);
  letters.load("B", 8);
  assert.equal(set(), "ABC");
  service.nowMs = 3_004;
  letters.ask();
  assert.equal(set(), "AB", "the most loaded");
  service.nowMs = 6_004;
  letters.ask();
  assert.equal(set(), "AB", "the set was changed 3 s ago");
  service.nowMs = 6_008;
  letters.ask();
  assert.equal(set(), "A");
  service.nowMs = 60_000;
  letters.ask();
  assert.equal(set(), "A", "the last one stays");
});

Deno.test("lblcr: a quiesced server never leaves a set for its load", () => {
  const letters = new Letters("lblcr", "B10 A10").aim("198.51.100.1");
  const { service } = letters;
  service.question.lblcrExpirationMs = 3_000;
  letters.ask();
  letters.load("B", 11);
  assert.equal(letters.ask(), "A");
  service.setWeight(letters.of("B"), 0);
  service.nowMs = 3_004;
  assert.equal(letters.ask(), "A", "used once more");
  assert.equal(members(letters, ["A", "B"]), "B");
});

Deno.test("lblcr: an overrun server that is the best of all the same is no second member of its set", () => {
  const letters = new Letters("lblcr", "B10 A10").aim("198.51.100.1");
  const { service } = letters;
  letters.ask();
  letters.load("B", 11);
  // A threshold keeps the idle one from being chosen, and not from showing that B has too much.
  service.server(letters.of("A")).overloaded = true;
  for (let i = 0; i < 3; i++) assert.equal(letters.ask(), "B");
  assert.equal(service.cells[7], 1, "members that were ever used");
});
