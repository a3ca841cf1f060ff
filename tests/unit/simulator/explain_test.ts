import assert from "node:assert/strict";
import { findScheduler, SCHEDULER_NAMES } from "../../../schedulers/registry.ts";
import { SeededRandom } from "../../../net/random.ts";
import { explain, type Explanation } from "../../../simulator/explain.ts";
import { flowOf, parseFlow } from "../../../simulator/flows.ts";
import { REASONS } from "../../../simulator/reasons.ts";
import { readScript } from "../../../simulator/script_reader.ts";
import { Simulation } from "../../../simulator/simulation.ts";
import type { World } from "../../../simulator/world.ts";

/** The director after a script. */
function after(text: string): World {
  const simulation = new Simulation({ script: readScript(text, "test.lvs"), findScheduler });
  for (const _ of simulation.run());
  return simulation.world;
}

function ask(world: World, flow: string): Explanation {
  return explain({
    director: world.director,
    flow: flowOf(parseFlow(flow), world),
    nowMs: world.nowMs,
    random: new SeededRandom(1),
    serviceName: (handle) => world.serviceName(handle),
  });
}

const WEB = `service tcp:10.0.0.1:80 wlc
add tcp:10.0.0.1:80 10.1.0.1:80
add tcp:10.0.0.1:80 10.1.0.2:80@2
open tcp 192.0.2.1:1 -> 10.0.0.1:80
`;

Deno.test("explain: a new connection, with each destination's numbers and the one that wins", () => {
  const answer = ask(after(WEB), "192.0.2.9:9 -> 10.0.0.1:80");
  assert.equal(answer.answer, "10.1.0.1:80");
  assert.equal(answer.scheduler, "wlc");
  assert.match(answer.why, /wlc takes the least/);
  assert.deepEqual(answer.destinations.map((it) => [it.address, it.value, it.chosen]), [
    ["10.1.0.2:80", "256/2 = 128", false],
    ["10.1.0.1:80", "0/1 = 0", true],
  ]);
});

Deno.test("explain: what it says comes true, and asking changes nothing, for every scheduler", () => {
  for (const name of SCHEDULER_NAMES.filter((it) => it !== "twos")) {
    const world = after(WEB.replace("wlc", name) + "weight tcp:10.0.0.1:80 10.1.0.1:80 3\n");
    for (let i = 0; i < 12; i++) {
      const flow = `192.0.2.${i}:${1_000 + i} -> 10.0.0.1:80`;
      const store = new Uint8Array(world.director.store.buffer).slice();
      const said = ask(world, flow);
      assert.deepEqual(new Uint8Array(world.director.store.buffer), store, `${name}: the store has changed`);
      const decision = world.apply({ verb: "open", flow: parseFlow(flow) });
      assert.equal(decision?.server === undefined, said.answer === null, name);
      if (decision?.server !== undefined) {
        assert.equal(`${decision.server.address}:${decision.server.port}`, said.answer, name);
      }
    }
  }
});

Deno.test("explain: every scheduler has its rule in words", () => {
  assert.deepEqual(Object.keys(REASONS).sort(), [...SCHEDULER_NAMES].sort());
});

Deno.test("explain: a known connection stays with its destination", () => {
  const world = after(`${WEB}weight tcp:10.0.0.1:80 10.1.0.2:80 0\n`);
  const known = [...world.director.connections()][0]?.client.port ?? 0;
  const answer = ask(world, `192.0.2.1:${known} -> 10.0.0.1:80`);
  assert.equal(answer.entry?.destination, "10.1.0.2:80");
  assert.equal(answer.entry?.state, "ESTABLISHED");
  assert.equal(answer.answer, "10.1.0.2:80");
  assert.match(answer.why, /known and stays/);
  assert.equal(answer.destinations[0]?.excluded, "quiesced: weight 0");
});

Deno.test("explain: a template binds the client", () => {
  const world = after(WEB.replace("80 wlc", "80 wlc persistent=300s"));
  const answer = ask(world, "192.0.2.1:2 -> 10.0.0.1:80");
  assert.equal(answer.template?.destination, "10.1.0.2:80");
  assert.match(answer.why, /persistence template/);
  assert.equal(ask(world, "192.0.2.2:2 -> 10.0.0.1:80").template, null);
});

Deno.test("explain: refused, and nobody's", () => {
  const world = after(`${WEB}weight tcp:10.0.0.1:80 10.1.0.1:80 0\nweight tcp:10.0.0.1:80 10.1.0.2:80 0\n`);
  const refused = ask(world, "192.0.2.9:9 -> 10.0.0.1:80");
  assert.deepEqual([refused.answer, refused.refusal], [null, "no-destination"]);
  assert.match(refused.why, /all quiesced/);
  const nobody = ask(world, "192.0.2.9:9 -> 10.0.0.1:81");
  assert.deepEqual([nobody.service, nobody.refusal], [null, "no-service"]);
});

Deno.test("explain: what is no flow is told how to write one", () => {
  assert.throws(() => parseFlow("10.0.0.7 -> :80"), {
    code: "FLOW_INVALID",
    message: /write for example tcp 10\.0\.0\.7:40000 -> :8080/,
  });
});

Deno.test("explain: a service that is named has its own protocol and family", () => {
  const world = after(`${WEB}service tcp:[::]:81 rr\nadd tcp:[::]:81 10.1.0.1:80\n`);
  const named = (flow: string) => ask(world, flow);
  assert.throws(() => named("udp 192.0.2.9:9 -> tcp:10.0.0.1:80"), {
    message: "the service is tcp 10.0.0.1:80: no flow of udp comes to it",
  });
  assert.throws(() => named("[2001:db8::9]:9 -> tcp:10.0.0.1:80"), {
    message: "the service is tcp 10.0.0.1:80: no flow of IPv6 comes to it",
  });
  assert.equal(named("192.0.2.9:9 -> tcp:[::]:81").answer, "10.1.0.1:80");
});
