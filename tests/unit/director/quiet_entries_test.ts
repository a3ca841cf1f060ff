/** `drop_entry`: which of the quiet connections go, and how much of the table is looked at. */
import assert from "node:assert/strict";
import { QuietEntries } from "../../../director/defence.ts";
import { destination, from, makeDirector, SYN, tcp, tcpService } from "./testbed.ts";

Deno.test("of connections quiet for 60 s with n packets, 1 to 8, every n-th goes, each n counted by itself", () => {
  const quiet = new QuietEntries();
  const drops = (packets: number, quietMs = 60_000) =>
    Array.from({ length: 7 }, () => quiet.drops(quietMs, packets) ? "x" : ".").join("");
  assert.equal(drops(1), "xxxxxxx");
  assert.equal(drops(3), "x..x..x");
  assert.equal(drops(3), "..x..x.");
  assert.equal(drops(8), "x......");
  assert.equal(drops(2), "x.x.x.x");
  for (const packets of [0, 9, 1_000]) assert.equal(drops(packets), ".......", `${packets} packets`);
  assert.equal(drops(1, 59_999), ".......");
});

Deno.test("each second one chain in 32 is looked at", () => {
  const director = makeDirector();
  director.addDestination(director.addService(tcpService(), 0), destination("10.2.0.1:80"), 0);
  for (let i = 0; i < 256; i++) from(director, tcp(`192.0.2.1:${1_000 + i}`), SYN, 0);
  director.advance(0);
  director.sysctl.drop_entry = 3;
  for (let second = 1; second <= 8; second++) director.advance(second * 1_000);
  // 64 draws of 256 chains with an entry each.
  const ended = 256 - director.connectionCount;
  assert.ok(ended > 40 && ended < 80, `${ended} ended`);
});
