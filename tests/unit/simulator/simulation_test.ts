import assert from "node:assert/strict";
import { loadConfig } from "../../../config/load.ts";
import { findScheduler } from "../../../schedulers/registry.ts";
import { readScript } from "../../../simulator/script_reader.ts";
import { type Outcome, Simulation } from "../../../simulator/simulation.ts";
import { compareSchedulers } from "../../../simulator/what_if.ts";

const CONFIG = loadConfig(
  `services:
  - name: web
    listen: ":8080"
    scheduler: wlc
    destinations: ["10.1.0.1:80", {address: "10.1.0.2:80", weight: 2}]
  - name: dns
    protocol: udp
    listen: "10.0.0.1:53"
    scheduler: rr
    destinations: ["10.1.0.1:53", "10.1.0.2:53"]
`,
  "test.yaml",
  () => undefined,
);

function play(text: string): Outcome[] {
  const script = readScript(text, "test.lvs");
  return [...new Simulation({ script, config: CONFIG, findScheduler, candidates: true }).run()];
}

const answers = (text: string) => play(text).map((it) => it.answer);

Deno.test("simulate: wlc by weight over a config, the service named or found by its port", () => {
  const outcomes = play(
    "open 192.0.2.1:1 -> web\nopen 192.0.2.1:2 -> :8080\nopen 192.0.2.1:3 -> 127.0.0.1:8080\n",
  );
  assert.deepEqual(outcomes.map((it) => it.answer), ["10.1.0.2:80", "10.1.0.1:80", "10.1.0.2:80"]);
  assert.deepEqual(outcomes.map((it) => it.service), ["web", "web", "web"]);
  assert.deepEqual(outcomes[2]?.before.map((it) => [it.address, it.activeConns]), [
    ["10.1.0.2:80", 1],
    ["10.1.0.1:80", 1],
  ]);
});

Deno.test("simulate: each UDP source is a connection, a later datagram stays with it", () => {
  assert.deepEqual(
    answers("open 192.0.2.1:1 -> dns\nopen 192.0.2.1:2 -> dns as=b\ndata b 40\nopen 192.0.2.1:3 -> dns"),
    [
      "10.1.0.2:53",
      "10.1.0.1:53",
      "10.1.0.2:53",
    ],
  );
});

Deno.test("simulate: a closed connection is inactive until its time is over", () => {
  const outcomes = play(`open 192.0.2.1:1 -> web as=a
close a
wait 119s
open 192.0.2.1:2 -> web
wait 2s
open 192.0.2.1:3 -> web
`);
  const seen = outcomes.map((it) => it.before.map((one) => [one.activeConns, one.inactiveConns]));
  assert.deepEqual(seen.slice(1), [[[0, 1], [0, 0]], [[0, 0], [1, 0]]]);
});

Deno.test("simulate: weights, additions, deletions, another scheduler, a reset", () => {
  assert.deepEqual(
    answers(`change web rr
weight web 10.1.0.2:80 0
open 192.0.2.1:1 -> web as=a
reset a by-server
add web 10.1.0.3:80@5
open 192.0.2.1:2 -> web
open 192.0.2.1:3 -> web
delete web 10.1.0.3:80
delete web 10.1.0.1:80
open 192.0.2.1:4 -> web
`),
    ["10.1.0.1:80", "10.1.0.3:80", "10.1.0.1:80", "no-destination"],
  );
});

Deno.test("simulate: what was expected is compared", () => {
  const outcomes = play("open 192.0.2.1:1 -> web => 10.1.0.2:80\nopen 192.0.2.1:2 -> web => refused\n");
  assert.deepEqual(outcomes.map((it) => it.asExpected), [true, false]);
});

Deno.test("simulate: a step that cannot be done is told with its line", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    [
      "open 192.0.2.1:1 -> wed",
      /test\.lvs:1:1: there is no service "wed"; there are web, dns; did you mean "web"/,
    ],
    ["wait 1s\nclose c9", /test\.lvs:2:1: no connection was opened as "c9"/],
    ["delete web 10.1.0.9:80", /test\.lvs:1:1: service web has no destination 10\.1\.0\.9:80/],
    ["sysctl drop_entri 1", /test\.lvs:1:1: there is no switch drop_entri/],
    ["sysctl secure_tcp 9", /test\.lvs:1:1: secure_tcp takes a whole number from 0 to 3/],
    ["change web wcl", /test\.lvs:1:1: there is no scheduler "wcl"/],
  ];
  for (const [text, message] of wrong) assert.throws(() => play(text), message, text);
});

Deno.test("what if: shares under both schedulers, and how many connections move", () => {
  const lines = Array.from({ length: 30 }, (_, i) => `open 192.0.2.1:${i + 1} -> web`);
  const script = readScript(lines.join("\n"), "test.lvs");
  const [web] = compareSchedulers({ script, config: CONFIG, scheduler: "rr", findScheduler });
  assert.equal(web?.connections, 30);
  assert.deepEqual(web?.shares, [
    { destination: "10.1.0.1:80", real: 10, other: 15 },
    { destination: "10.1.0.2:80", real: 20, other: 15 },
  ]);
  assert.ok((web?.moved ?? 0) >= 5);
});

Deno.test("what if: the record's own word is the real one, and a replay that differs is counted", () => {
  const script = readScript(
    "open 192.0.2.1:1 -> web => 10.1.0.1:80\nopen 192.0.2.1:2 -> web => refused\nopen 192.0.2.1:3 -> web\n",
    "test.lvs",
  );
  const [web] = compareSchedulers({ script, config: CONFIG, scheduler: "rr", findScheduler });
  assert.deepEqual(web?.shares.map(({ destination, real }) => [destination, real]), [
    ["10.1.0.1:80", 1],
    ["10.1.0.2:80", 1],
    ["refused", 1],
  ]);
  assert.equal(web?.unlike, 2);
});

Deno.test("simulate, whatif: a long script tells how far it is", () => {
  const script = readScript("open 192.0.2.1:1000 -> web\n" + "wait 1ms\n".repeat(2_499), "test.lvs");
  const played: number[] = [];
  const progress = (lines: number) => void played.push(lines);
  assert.equal([...new Simulation({ script, config: CONFIG, findScheduler, progress }).run()].length, 1);
  assert.deepEqual(played, [1_000, 2_000]);
  compareSchedulers({ script, config: CONFIG, scheduler: "rr", findScheduler, progress });
  assert.deepEqual(played.slice(2), [1_000, 2_000, 3_500, 4_500]);
});

Deno.test("simulate: a config's switches are in force", () => {
  const config = loadConfig(
    `ipvs: { expire_quiescent_template: 1 }
services:
  - { name: web, listen: "10.0.0.1:80", scheduler: rr, persistence: 5m, destinations: ["10.1.0.1:80", "10.1.0.2:80"] }
`,
    "test.yaml",
    () => undefined,
  );
  const script = readScript(
    "open 192.0.2.1:1 -> web\nweight web 10.1.0.2:80 0\nopen 192.0.2.1:2 -> web\n",
    "t",
  );
  const answers = [...new Simulation({ script, config, findScheduler }).run()].map((it) => it.answer);
  assert.deepEqual(answers, ["10.1.0.2:80", "10.1.0.1:80"]);
});

Deno.test("simulate: a listener takes clients of its own family; `[::]` those of both", () => {
  const on = (listen: string) =>
    loadConfig(
      `services: [{ name: web, listen: "${listen}", destinations: ["10.1.0.1:80"] }]`,
      "t.yaml",
      () => undefined,
    );
  const ask = (listen: string, client: string) => {
    const script = readScript(`open ${client} -> :8080\n`, "t");
    return [...new Simulation({ script, config: on(listen), findScheduler }).run()].map((it) => it.answer);
  };
  assert.deepEqual(ask("127.0.0.1:8080", "[::1]:5"), ["no-service"]);
  assert.deepEqual(ask("127.0.0.1:8080", "192.0.2.1:5"), ["10.1.0.1:80"]);
  assert.deepEqual(ask("[::]:8080", "192.0.2.1:5"), ["10.1.0.1:80"]);
  assert.deepEqual(ask("[::]:8080", "[2001:db8::7]:5"), ["10.1.0.1:80"]);
});

Deno.test("simulate: what every object has is no switch", () => {
  assert.throws(() => play("sysctl constructor 1"), /there is no switch constructor/);
});
