/**
 * What the rules cost a new connection, beside an empty call of the same shape in the same run:
 * `deno run -A bench/rule_walk.ts`. Medians of nine rounds; docs/bench.md has the figures.
 */
import { cpus } from "node:os";
import { HOOK, type HookVerdict, VERDICT } from "../hooks/hook.ts";
import { Hooks } from "../hooks/hooks.ts";
import { PacketView } from "../hooks/packet_view.ts";
import type { Rule } from "../hooks/rule.ts";
import { RuleSet } from "../hooks/rule_set.ts";
import { PROTOCOL } from "../net/flow.ts";
import { Prefix } from "../net/prefix.ts";
import { SeededRandom } from "../net/random.ts";

const ROUNDS = 9;
const CALLS = 200_000;
const PACKETS = 1_024;

/** A deny list as people write one: protocol, source network, port; none matches. */
function denyList(rules: number): Rule[] {
  return Array.from({ length: rules }, (_, i): Rule => ({
    match: {
      protocols: [PROTOCOL.tcp],
      source: [Prefix.parse(`203.${i >> 8}.${i & 255}.0/24`)],
      destinationPorts: [{ first: 80, last: 90 }],
    },
    target: { kind: "drop" },
  }));
}

/** The same networks in one rule. */
function oneList(prefixes: number): Rule[] {
  const source = denyList(prefixes).flatMap((it) => it.match.source ?? []);
  return [{ match: { protocols: [PROTOCOL.tcp], source }, target: { kind: "drop" } }];
}

function limitPerSource(): Rule[] {
  const limit = { rate: 1_000_000, periodMs: 1, burst: 5, perSource: { ipv4: 32, ipv6: 128 } };
  return [{ match: {}, not: { limit }, target: { kind: "drop" } }];
}

function hooksWith(rules: readonly Rule[]): Hooks {
  const hooks = new Hooks();
  hooks.setRules(
    new RuleSet({
      chains: [{ name: "INPUT", base: { hook: "input", priority: 0, policy: "accept" }, rules }],
      names: { services: [], interfaces: [] },
      random: new SeededRandom(1),
      connections: { count: () => 0 },
      onLog: () => {},
    }),
  );
  return hooks;
}

/** Does nothing: what remains is the loop and the call. */
class Empty implements Pick<Hooks, "run"> {
  run(_hook: number, view: PacketView, nowMs: number): HookVerdict {
    view.rule = nowMs < 0 ? 0 : -1;
    return VERDICT.accept;
  }
}

const random = new SeededRandom(7);
const packets = Array.from({ length: PACKETS }, () => {
  const view = new PacketView();
  view.protocol = PROTOCOL.tcp;
  view.source[0] = 0xc0000000 + random.below(2 ** 24);
  view.destination[0] = 0x0a000001;
  view.sourcePort = 1_024 + random.below(60_000);
  view.destinationPort = 80;
  return view;
});

const SIDES: Readonly<Record<string, Pick<Hooks, "run">>> = {
  "empty call": new Empty(),
  "no rule": hooksWith([]),
  "10 rules": hooksWith(denyList(10)),
  "100 rules": hooksWith(denyList(100)),
  "1,000 rules": hooksWith(denyList(1_000)),
  "1 rule with 1,000 networks": hooksWith(oneList(1_000)),
  "limit per source, 1,024 sources": hooksWith(limitPerSource()),
};

function nanoseconds(hooks: Pick<Hooks, "run">): number {
  const startMs = performance.now();
  for (let i = 0; i < CALLS; i++) {
    const view = packets[i & (PACKETS - 1)];
    if (view !== undefined) hooks.run(HOOK.input, view, i);
  }
  return (performance.now() - startMs) * 1e6 / CALLS;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const found = new Map(Object.keys(SIDES).map((name) => [name, [] as number[]]));
for (const hooks of Object.values(SIDES)) nanoseconds(hooks);
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, hooks] of Object.entries(SIDES)) found.get(name)?.push(nanoseconds(hooks));
}
print(
  `${cpus()[0]?.model ?? Deno.build.arch}, Deno ${Deno.version.deno}; ns per packet, median (least to most)`,
);
for (const [name, all] of found) {
  const sorted = all.toSorted((a, b) => a - b);
  const text = (at: number) => (sorted[at] ?? 0).toFixed(0);
  print(`${name.padEnd(32)} ${text(ROUNDS >> 1).padStart(6)} (${text(0)} to ${text(ROUNDS - 1)})`);
}
