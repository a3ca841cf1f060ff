/** Targets, policies, user chains, counters; order and priorities on the hooks. */
import assert from "node:assert/strict";
import {
  DIRECTOR_PRIORITY,
  HOOK,
  PRIORITY,
  REJECT_KINDS,
  rejectKindFor,
  VERDICT,
} from "../../../hooks/hook.ts";
import { Hooks } from "../../../hooks/hooks.ts";
import type { Chain, Rule } from "../../../hooks/rule.ts";
import {
  ACCEPT,
  DROP,
  hooksWith,
  input,
  jump,
  mark,
  packet,
  prefixes,
  RETURN,
  rule,
  ruleSet,
} from "./testbed.ts";

Deno.test("targets: the first rule that accepts, drops or rejects decides", () => {
  const set = ruleSet([input([
    rule({ source: prefixes("10.0.0.1") }, ACCEPT),
    rule({ source: prefixes("10.0.0.0/24") }, { kind: "reject", with: "tcp-reset" }),
    rule({ source: prefixes("10.0.0.0/8") }, DROP),
  ])]);
  const verdict = (from: string) => set.walk(0, packet(from), 0);
  assert.equal(verdict("10.0.0.1:1"), VERDICT.accept);
  assert.equal(verdict("10.0.0.2:1"), VERDICT.reject);
  assert.equal(verdict("10.0.1.1:1"), VERDICT.drop);
  assert.equal(verdict("11.0.0.1:1"), VERDICT.accept);
});

Deno.test("targets: the rule that decided is told, and a policy as none", () => {
  const set = ruleSet([input([rule({}, mark(1)), rule({ source: prefixes("10.0.0.1") }, DROP)], "drop")]);
  const view = packet("10.0.0.1:1");
  set.walk(0, view, 0);
  assert.equal(view.rule, 1);
  const other = packet();
  assert.equal(set.walk(0, other, 0), VERDICT.drop);
  assert.equal(other.rule, -1);
  assert.equal(other.chain, 0);
});

for (const policy of ["accept", "drop"] as const) {
  Deno.test(`targets: policy ${policy}, after no rule and after RETURN`, () => {
    const set = ruleSet([
      input([rule({ source: prefixes("10.0.0.0/8") }, RETURN), rule({}, mark(9))], policy),
    ]);
    for (const from of ["10.0.0.1:1", "192.0.2.1:1"]) {
      const view = packet(from);
      assert.equal(set.walk(0, view, 0), VERDICT[policy]);
      assert.equal(view.mark, from.startsWith("10.") ? 0 : 9);
    }
  });
}

Deno.test("targets: every REJECT kind is told as it is, and as its counterpart for the other family", () => {
  for (const [i, kind] of REJECT_KINDS.entries()) {
    const set = ruleSet([input([rule({}, { kind: "reject", with: kind })])]);
    const view = packet();
    assert.equal(set.walk(0, view, 0), VERDICT.reject);
    assert.equal(view.rejectWith, i);
    const forIpv4 = rejectKindFor(kind, 4);
    const forIpv6 = rejectKindFor(kind, 6);
    if (kind === "tcp-reset") assert.deepEqual([forIpv4, forIpv6], [kind, kind]);
    else assert.deepEqual([forIpv4.startsWith("icmp-"), forIpv6.startsWith("icmp6-")], [true, true], kind);
    assert.ok([forIpv4, forIpv6].includes(kind), kind);
  }
});

Deno.test("targets: MARK replaces the bits of its mask and the walk goes on", () => {
  const set = ruleSet([input([
    rule({}, mark(0xf0, 0xff)),
    rule({ mark: { value: 0xabf0, mask: 0xffff } }, mark(0xffffffff)),
    rule({ mark: { value: 0xffffffff, mask: 0xffffffff } }, DROP),
  ])]);
  const view = packet(undefined, undefined, { mark: 0xabcd });
  assert.equal(set.walk(0, view, 0), VERDICT.drop);
  assert.equal(view.mark, 0xffffffff);
});

Deno.test("targets: LOG tells the logger and the walk goes on", () => {
  const logged: string[] = [];
  const target = { kind: "log", prefix: "seen: ", level: "warning" } as const;
  const set = ruleSet([input([rule({}, target), rule({}, DROP)])], {
    onLog: (told, chain, view) =>
      logged.push(`${JSON.stringify(told.target)} ${chain.name} ${view.sourcePort}`),
  });
  assert.equal(set.walk(0, packet(), 0), VERDICT.drop);
  assert.deepEqual(logged, [`${JSON.stringify(target)} INPUT 40000`]);
});

Deno.test("targets: user chains return to the rule behind the jump, at any depth", () => {
  const user = (name: string, rules: readonly Rule[]): Chain => ({ name, rules });
  const set = ruleSet([
    input([rule({}, jump("one")), rule({}, mark(8, 8)), rule({}, DROP)]),
    user("one", [rule({}, jump("two")), rule({}, mark(4, 4))]),
    user("two", [rule({}, mark(1, 1)), rule({}, RETURN), rule({}, mark(2, 2))]),
  ]);
  const view = packet();
  assert.equal(set.walk(0, view, 0), VERDICT.drop);
  assert.equal(view.mark, 1 | 4 | 8);
});

Deno.test("targets: a jump to nowhere and a circle of jumps are refused", () => {
  assert.throws(() => ruleSet([input([rule({}, jump("nowhere"))])]), { code: "CHAIN_UNKNOWN" });
  const circle = [input([rule({}, jump("a"))]), { name: "a", rules: [rule({}, jump("b"))] }, {
    name: "b",
    rules: [rule({}, jump("a"))],
  }];
  assert.throws(() => ruleSet(circle), { code: "CHAIN_LOOP", message: /a -> b -> a/ });
});

Deno.test("counters: rules that match count, the policy counts the rest, -Z begins anew", () => {
  const set = ruleSet([input([
    rule({ source: prefixes("10.0.0.0/8") }, { kind: "none" }),
    rule({ source: prefixes("10.0.0.0/9") }, DROP),
  ])]);
  for (const from of ["10.0.0.1:1", "10.200.0.1:1", "192.0.2.1:1"]) set.walk(0, packet(from), 0);
  const counts = () => [set.counters(0, 0), set.counters(0, 1), set.counters(0)];
  const times = (packets: number) => ({ packets, bytes: packets * 60 });
  assert.deepEqual(counts(), [times(2), times(1), times(2)]);
  set.zero();
  assert.deepEqual(counts(), [times(0), times(0), times(0)]);
});

Deno.test("counters: a new rule set keeps those of rules that did not change, wherever they stand now", () => {
  const [deny, keep] = [
    rule({ source: prefixes("10.0.0.0/8") }, { kind: "none" }),
    rule({}, { kind: "none" }),
  ];
  const before = ruleSet([input([deny, keep, keep])]);
  before.walk(0, packet("10.0.0.1:1"), 0);
  before.walk(0, packet(), 0);
  const copy = structuredClone({ match: {}, target: { kind: "none" as const } });
  const after = ruleSet([input([copy, rule({}, mark(1)), deny, copy], "drop")], { previous: before });
  const packets = [0, 1, 2, 3, undefined].map((place) => after.counters(0, place).packets);
  assert.deepEqual(packets, [2, 0, 1, 2, 2]);
});

Deno.test("ask: says what a walk would say and leaves no trace", () => {
  const limit = { rate: 1, periodMs: 1_000, burst: 1 };
  const logged: unknown[] = [];
  const set = ruleSet([input([
    rule({}, mark(7)),
    rule({}, { kind: "log", prefix: "", level: "info" }),
    rule({ limit }, ACCEPT),
  ], "drop")], { onLog: (it) => logged.push(it) });
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(set.ask(0, packet(), 0), { verdict: VERDICT.accept, rules: [0, 1, 2] });
  }
  assert.deepEqual(logged, []);
  assert.equal(set.counters(0, 0).packets, 0);
  assert.equal(set.walk(0, packet(), 0), VERDICT.accept);
  assert.deepEqual(set.ask(0, packet(), 0), { verdict: VERDICT.drop, rules: [0, 1] });
  assert.deepEqual(set.placeOf(2), { chain: 0, place: 2 });
});

Deno.test("hooks: the director's priorities are the kernel's", () => {
  assert.deepEqual(DIRECTOR_PRIORITY, {
    inputReply: 98,
    inputRequest: 99,
    outputReply: -99,
    outputRequest: -98,
    forwardIcmp: 99,
    forwardReply: 100,
  });
});

Deno.test("hooks: functions and chains run by priority, equal ones in their order", () => {
  const way: string[] = [];
  const base = (name: string, priority: number): Chain => ({
    name,
    base: { hook: "input", priority, policy: "accept" },
    rules: [rule({}, { kind: "log", prefix: name, level: "info" })],
  });
  const hooks = hooksWith([
    base("filter", PRIORITY.filter),
    base("service", PRIORITY.service),
    base("raw", -300),
  ], {
    onLog: (_rule, chain) => way.push(chain.name),
  });
  const passing = (name: string) => () => {
    way.push(name);
    return VERDICT.accept;
  };
  const { inputReply, inputRequest } = DIRECTOR_PRIORITY;
  hooks.register(HOOK.input, inputRequest, passing("in"));
  hooks.register(HOOK.input, inputReply, passing("out"));
  const leave = hooks.register(HOOK.input, inputReply, passing("out too"));
  hooks.register(HOOK.forward, 0, passing("another hook"));
  assert.equal(hooks.run(HOOK.input, packet(), 0), VERDICT.accept);
  assert.deepEqual(way.splice(0), ["raw", "filter", "service", "out", "out too", "in"]);
  leave();
  hooks.register(HOOK.input, PRIORITY.filter, passing("behind the filter's chain"));
  hooks.run(HOOK.input, packet(), 0);
  assert.deepEqual(way.splice(0), ["raw", "filter", "behind the filter's chain", "service", "out", "in"]);
  hooks.setRules(ruleSet([base("only", 0)], { onLog: (_rule, chain) => way.push(chain.name) }));
  hooks.run(HOOK.input, packet(), 0);
  assert.deepEqual(way, ["only", "behind the filter's chain", "out", "in"]);
});

Deno.test("hooks: what is dropped, rejected or stolen reaches nobody behind", () => {
  const { inputRequest } = DIRECTOR_PRIORITY;
  const ends = [DROP, { kind: "reject", with: "tcp-reset" } as const];
  for (const target of ends) {
    const hooks = hooksWith([input([rule({}, target)])]);
    hooks.register(HOOK.input, inputRequest, () => assert.fail("reached"));
    assert.notEqual(hooks.run(HOOK.input, packet(), 0), VERDICT.accept);
  }
  const hooks = new Hooks();
  hooks.register(HOOK.input, inputRequest, () => VERDICT.stolen);
  hooks.register(HOOK.input, inputRequest + 1, () => assert.fail("reached"));
  assert.equal(hooks.run(HOOK.input, packet(), 0), VERDICT.stolen);
});
