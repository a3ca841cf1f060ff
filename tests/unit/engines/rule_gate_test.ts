/** The gate in front of a real director: what opens a connection is judged once, the rest passes. */
import assert from "node:assert/strict";
import { ACTION, DROP_REASON, type TrafficEntrance } from "../../../director/verdict.ts";
import { RuleGate } from "../../../engines/rule_gate.ts";
import { ConnectionCounts } from "../../../hooks/connection_counts.ts";
import { Hooks } from "../../../hooks/hooks.ts";
import type { Chain, Rule } from "../../../hooks/rule.ts";
import { DIRECTION, Flow } from "../../../net/flow.ts";
import {
  ACK,
  at,
  destination,
  FIN,
  makeDirector,
  RST,
  SYN,
  tcp,
  tcpService,
  udp,
} from "../director/testbed.ts";
import { DROP, input, mark, prefixes, rule, ruleSet } from "../hooks/testbed.ts";

const EVERY = { ipv4: 32, ipv6: 128 };

function gateFor(chains: readonly Chain[]) {
  const director = makeDirector();
  const service = director.addService(tcpService(), 0);
  director.addDestination(service, destination("10.2.0.1:80"), 0);
  const hooks = new Hooks();
  const counts = new ConnectionCounts(1);
  const set = ruleSet(chains, { connections: counts });
  hooks.setRules(set);
  counts.countBy(set.connectionSources);
  const asked: { mark: number; flags: number }[] = [];
  const traffic: TrafficEntrance = {
    segment: (flow, direction, flags, bytes, nowMs) => {
      asked.push({ mark: flow.mark, flags });
      return director.segment(flow, direction, flags, bytes, nowMs);
    },
    reschedule: (...words) => director.reschedule(...words),
    forget: (...words) => director.forget(...words),
    destinationAddress: (handle) => director.destinationAddress(handle),
  };
  const gate = new RuleGate({
    traffic,
    hooks,
    counts,
    serviceNumber: (handle) => handle === service ? 0 : -1,
  });
  return { gate, director, set, counts, asked, service };
}

function open(gate: RuleGate, flow: Flow) {
  const { action, reason } = gate.segment(flow, DIRECTION.input, SYN, 0, 0);
  return { action, reason };
}

const DENY = rule({ source: prefixes("192.0.2.66") }, DROP);

Deno.test("gate: DROP and REJECT keep the director from being asked, with their reasons and counts", () => {
  const reject: Rule = rule({ source: prefixes("192.0.2.67") }, {
    kind: "reject",
    with: "icmp-port-unreachable",
  });
  const { gate, director, asked } = gateFor([input([DENY, reject])]);
  assert.deepEqual(open(gate, tcp("192.0.2.66:1000")), {
    action: ACTION.drop,
    reason: DROP_REASON.ruleDrop,
  });
  assert.deepEqual(open(gate, tcp("192.0.2.67:1000")), {
    action: ACTION.reject,
    reason: DROP_REASON.ruleReject,
  });
  assert.deepEqual(asked, []);
  assert.equal(director.connectionCount, 0);
  assert.deepEqual(gate.drops, { ruleDrop: 1, ruleReject: 1 });
  assert.equal(open(gate, tcp("192.0.2.1:1000")).action, ACTION.forward);
  assert.deepEqual(asked, [{ mark: 0, flags: SYN }]);
});

Deno.test("gate: a drop on PREROUTING never reaches INPUT", () => {
  const prerouting: Chain = {
    name: "PREROUTING",
    base: { hook: "prerouting", priority: -150, policy: "drop" },
    rules: [],
  };
  const { gate, set } = gateFor([prerouting, input([])]);
  assert.equal(open(gate, tcp("192.0.2.1:1000")).reason, DROP_REASON.ruleDrop);
  assert.equal(set.counters(1).packets, 0);
});

Deno.test("gate: MARK in PREROUTING is on the flow before the director is asked", () => {
  const prerouting: Chain = {
    name: "PREROUTING",
    base: { hook: "prerouting", priority: -150, policy: "accept" },
    rules: [rule({ destinationPorts: [{ first: 80, last: 80 }] }, mark(7))],
  };
  const only7 = rule({}, DROP, { mark: { value: 7, mask: 0xffffffff } });
  const { gate, asked } = gateFor([prerouting, input([only7])]);
  const flow = tcp("192.0.2.1:1000");
  assert.equal(open(gate, flow).action, ACTION.forward);
  assert.equal(flow.mark, 7);
  assert.deepEqual(asked, [{ mark: 7, flags: SYN }]);
});

Deno.test("gate: one flow object that is filled again does not keep its last mark", () => {
  const odd = rule({ sourcePorts: [{ first: 1_001, last: 1_001 }] }, mark(7));
  const { gate } = gateFor([input([odd])]);
  const flow = udp("192.0.2.1:1001");
  gate.segment(flow, DIRECTION.input, 0, 10, 0);
  assert.equal(flow.mark, 7);
  flow.clientPort = 1_002;
  gate.segment(flow, DIRECTION.input, 0, 10, 0);
  assert.equal(flow.mark, 0);
});

Deno.test("gate: a connection is judged once, its later segments are not", () => {
  const { gate, set } = gateFor([input([])]);
  const flow = tcp("192.0.2.1:1000");
  open(gate, flow);
  gate.segment(flow, DIRECTION.output, SYN | ACK, 0, 0);
  open(gate, tcp("192.0.2.1:1001"));
  gate.segment(flow, DIRECTION.input, SYN, 0, 0);
  gate.segment(flow, DIRECTION.input, ACK, 100, 0);
  gate.segment(flow, DIRECTION.input, FIN | ACK, 0, 0);
  assert.equal(set.counters(0).packets, 2, "two connections; the second SYN of the first is no third");
});

Deno.test("gate: a half-closed connection leaves nothing to a later one with its handle, though nobody counted at its end", () => {
  const above = rule({ connectionsAbove: { count: 100, perSource: EVERY } }, DROP);
  const { gate, counts, set } = gateFor([input([above])]);
  const [first, second] = [tcp("192.0.2.1:1000"), tcp("192.0.2.1:1001")];
  gate.admit(first, 7, 0, 0);
  first.entry = 7;
  gate.segment(first, DIRECTION.input, FIN | ACK, 0, 0);
  counts.countBy([]);
  gate.entryEnded(7);
  counts.countBy(set.connectionSources);
  gate.admit(second, 7, 0, 0);
  second.entry = 7;
  gate.segment(second, DIRECTION.output, FIN | ACK, 0, 0);
  assert.equal(counts.size, 1, "one side of the second has finished, not both");
});

Deno.test("gate: asked again for a connection whose old entry hung, it does not judge twice", () => {
  const { gate, director, set, service } = gateFor([input([])]);
  const first = tcp("192.0.2.1:1000");
  open(gate, first);
  const [only] = director.destinationViews(service);
  assert.ok(only);
  director.deleteDestination(only.handle, 0);
  const again = tcp("192.0.2.1:1000");
  assert.equal(open(gate, again).reason, DROP_REASON.destinationRemoved);
  gate.forget(again, 0);
  assert.equal(open(gate, again).reason, DROP_REASON.noDestination);
  assert.equal(set.counters(0).packets, 2);
});

Deno.test("gate: rules may name the service that a listener belongs to", () => {
  const { gate, service } = gateFor([input([rule({ services: ["web"] }, DROP)])]);
  const flow = tcp("192.0.2.1:1000");
  assert.equal(open(gate, flow).action, ACTION.forward, "not known to be web");
  const known = tcp("192.0.2.1:1001");
  known.service = service;
  assert.equal(open(gate, known).reason, DROP_REASON.ruleDrop);
});

Deno.test("gate: connections of a source count until a reset, both FINs, or the end of their entry", () => {
  const above = rule({ connectionsAbove: { count: 2, perSource: EVERY } }, DROP);
  const { gate, director, counts } = gateFor([input([above])]);
  const flows = [1_000, 1_001, 1_002].map((port) => tcp(`192.0.2.1:${port}`));
  const [a, b, c] = flows as [Flow, Flow, Flow];
  assert.equal(open(gate, a).action, ACTION.forward);
  assert.equal(open(gate, b).action, ACTION.forward);
  assert.equal(open(gate, c).reason, DROP_REASON.ruleDrop);
  assert.equal(open(gate, tcp("192.0.2.2:1000")).action, ACTION.forward, "another source");
  gate.segment(a, DIRECTION.input, FIN | ACK, 0, 0);
  gate.segment(a, DIRECTION.input, FIN | ACK, 0, 0);
  assert.equal(open(gate, c).reason, DROP_REASON.ruleDrop, "half closed");
  gate.segment(a, DIRECTION.output, FIN | ACK, 0, 0);
  assert.equal(open(gate, c).action, ACTION.forward);
  gate.segment(b, DIRECTION.output, RST, 0, 0);
  const d = tcp("192.0.2.1:1003");
  assert.equal(open(gate, d).action, ACTION.forward);
  gate.entryEnded(d.entry);
  gate.entryEnded(d.entry);
  gate.forget(c, 0);
  assert.equal(counts.count(4, at("192.0.2.1:1").address.words, 32), 0);
  assert.ok(director.connectionCount > 0);
});

Deno.test("gate: without rules it is the director", () => {
  const { gate, asked } = gateFor([]);
  assert.equal(open(gate, tcp("192.0.2.1:1000")).action, ACTION.forward);
  assert.equal(asked.length, 1);
});
