/** The compiled walk decides as a naive reading of the rules does, whatever the rules and packets are. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { VERDICT } from "../../hooks/hook.ts";
import { Limiter } from "../../hooks/limiter.ts";
import { PacketView, STATE } from "../../hooks/packet_view.ts";
import type { Chain, Limit, Match, PortRange, Rule, Target } from "../../hooks/rule.ts";
import { IpAddress } from "../../net/address.ts";
import { Prefix } from "../../net/prefix.ts";
import { ruleSet } from "../unit/hooks/testbed.ts";
import { proveProperty } from "../unit/net/property.ts";

const SERVICES = ["web", "dns"];
const INTERFACES: Readonly<Record<string, number>> = { eth0: 2, eth1: 3, wg0: 4 };
const USER_CHAINS = ["one", "two", "three"];

/** Few values, so that rules and packets meet often. */
const anyAddress = fc.oneof(
  fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.1.1", "192.0.2.7", "2001:db8::1", "2001:db8::2", "::1"),
  fc.ipV4(),
  fc.ipV6().filter((it) => IpAddress.tryParse(it) !== undefined),
).map((it) => IpAddress.parse(it));
const anyPrefix = fc.tuple(anyAddress, fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([address, share]) => new Prefix(address, Math.round(share * (address.family === 4 ? 32 : 128))));
const anyPort = fc.oneof(fc.constantFrom(80, 81, 443), fc.nat(65_535));
const anyRange = fc.tuple(anyPort, anyPort).map(([a, b]): PortRange => ({
  first: Math.min(a, b),
  last: Math.max(a, b),
}));
const anyMark = fc.record({ value: fc.constantFrom(0, 1, 7, 0x80000000, 0xffffffff), mask: fc.constant(0) })
  .chain(({ value }) =>
    fc.constantFrom(0xff, 0xffffffff, 0x80000001).map((mask) => ({ value: (value & mask) >>> 0, mask }))
  );
const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 3 });
const anyMatch: fc.Arbitrary<Match> = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  protocols: some(fc.constantFrom(6, 17)),
  source: some(anyPrefix),
  destination: some(anyPrefix),
  sourcePorts: some(anyRange),
  destinationPorts: some(anyRange),
  inInterface: some(fc.constantFrom("eth0", "eth+", "wg0", "none")),
  mark: anyMark,
  states: fc.integer({ min: 1, max: 15 }),
  services: some(fc.constantFrom(...SERVICES)),
  limit: fc.record({
    rate: fc.integer({ min: 1, max: 5 }),
    periodMs: fc.constant(1_000),
    burst: fc.integer({ min: 1, max: 3 }),
  }),
}, { requiredKeys: [] }).chain((match) =>
  // A rule with every condition matches nothing: keep three of them at most.
  fc.shuffledSubarray(Object.entries(match), { maxLength: Math.min(3, Object.keys(match).length) })
    .map((entries) => Object.fromEntries(entries) as Match)
);

/** Jumps lead to later chains only, so that there is no circle. */
const anyRules = (later: readonly string[]) =>
  fc.array(
    fc.record({
      match: anyMatch,
      not: fc.option(anyMatch, { nil: undefined, freq: 3 }),
      target: anyTarget(later),
    }),
    {
      maxLength: 8,
    },
  ).map((rules) => rules.map(({ not, ...rest }): Rule => not === undefined ? rest : { ...rest, not }));

function anyTarget(later: readonly string[]): fc.Arbitrary<Target> {
  const plain = fc.constantFrom<Target>(
    { kind: "accept" },
    { kind: "drop" },
    { kind: "return" },
    { kind: "none" },
    { kind: "reject", with: "icmp-port-unreachable" },
  );
  const marks = anyMark.map((mark): Target => ({ kind: "mark", mark }));
  if (later.length === 0) return fc.oneof(plain, marks);
  return fc.oneof(plain, marks, fc.constantFrom(...later).map((chain): Target => ({ kind: "jump", chain })));
}

const anyChains: fc.Arbitrary<Chain[]> = fc.tuple(
  fc.constantFrom("accept" as const, "drop" as const),
  anyRules(USER_CHAINS),
  ...USER_CHAINS.map((_, i) => anyRules(USER_CHAINS.slice(i + 1))),
).map(([policy, base, ...users]) => [
  { name: "INPUT", base: { hook: "input", priority: 0, policy }, rules: base },
  ...users.map((rules, i) => ({ name: USER_CHAINS[i] ?? "", rules })),
]);

const anyPacket = fc.record({
  source: anyAddress,
  destination: anyAddress,
  protocol: fc.constantFrom(6, 17, 132),
  sourcePort: fc.oneof(anyPort, fc.constant(-1)),
  destinationPort: fc.oneof(anyPort, fc.constant(-1)),
  mark: fc.constantFrom(0, 1, 7, 0x80000000, 0xffffffff),
  state: fc.constantFrom(...Object.values(STATE)),
  inInterface: fc.constantFrom(-1, 2, 3, 4),
  service: fc.constantFrom(-1, 0, 1),
  waitMs: fc.nat(400),
});

function viewOf(
  { source, destination, waitMs: _, ...numbers }: typeof anyPacket extends fc.Arbitrary<infer T> ? T : never,
) {
  const view = Object.assign(new PacketView(), numbers, { family: source.family });
  view.source.set(source.words);
  view.destination.set(destination.words);
  return view;
}

/** Reads the rules as they stand, slowly. */
class Naive {
  readonly #chains: readonly Chain[];
  readonly #limiters = new Map<Limit, Limiter>();
  readonly packets = new Map<Rule, number>();

  constructor(chains: readonly Chain[]) {
    this.#chains = chains;
  }

  decide(view: PacketView, nowMs: number): number {
    const base = this.#chains[0];
    const verdict = this.#chain(base?.rules ?? [], view, nowMs);
    return verdict ?? (base?.base?.policy === "drop" ? VERDICT.drop : VERDICT.accept);
  }

  #chain(rules: readonly Rule[], view: PacketView, nowMs: number): number | undefined {
    for (const rule of rules) {
      if (!this.#fits(rule, view, nowMs)) continue;
      this.packets.set(rule, (this.packets.get(rule) ?? 0) + 1);
      const { target } = rule;
      if (target.kind === "accept" || target.kind === "drop" || target.kind === "reject") {
        return VERDICT[target.kind];
      }
      if (target.kind === "return") return undefined;
      if (target.kind === "mark") {
        view.mark = Number(
          BigInt(view.mark) & ~BigInt(target.mark.mask) & 0xffffffffn | BigInt(target.mark.value),
        );
      }
      if (target.kind === "jump") {
        const user = this.#chains.find((it) => it.name === target.chain);
        const verdict = this.#chain(user?.rules ?? [], view, nowMs);
        if (verdict !== undefined) return verdict;
      }
    }
    return undefined;
  }

  #fits({ match, not = {} }: Rule, view: PacketView, nowMs: number): boolean {
    const hasPorts = (it: Match) =>
      (it.sourcePorts === undefined || view.sourcePort >= 0) &&
      (it.destinationPorts === undefined || view.destinationPort >= 0);
    const holds = Object.entries(plainConditions(match, view)).every(([, it]) => it);
    const fails = Object.entries(plainConditions(not, view)).every(([, it]) => !it);
    if (!holds || !fails || !hasPorts(match) || !hasPorts(not)) return false;
    if (match.limit !== undefined && !this.#within(match.limit, view, nowMs)) return false;
    return not.limit === undefined || !this.#within(not.limit, view, nowMs);
  }

  #within(limit: Limit, view: PacketView, nowMs: number): boolean {
    const limiter = this.#limiters.get(limit) ?? new Limiter(limit, 100, 0);
    this.#limiters.set(limit, limiter);
    return limiter.within(view.family, view.source, nowMs, true);
  }
}

/** Whether each condition but the limit holds. */
function plainConditions(match: Match, view: PacketView): Record<string, boolean> {
  const inRanges = (ranges: readonly PortRange[], port: number) =>
    ranges.some((it) => it.first <= port && port <= it.last);
  const inPrefixes = (list: readonly Prefix[], words: Uint32Array) =>
    list.some((it) => it.contains(new IpAddress(view.family, words)));
  const found: Record<string, boolean> = {};
  const {
    family,
    protocols,
    source,
    destination,
    sourcePorts,
    destinationPorts,
    inInterface,
    mark,
    states,
    services,
  } = match;
  if (family !== undefined) found["family"] = view.family === family;
  if (protocols !== undefined) found["protocol"] = protocols.includes(view.protocol);
  if (source !== undefined) found["source"] = inPrefixes(source, view.source);
  if (destination !== undefined) found["destination"] = inPrefixes(destination, view.destination);
  if (sourcePorts !== undefined) found["sport"] = inRanges(sourcePorts, view.sourcePort);
  if (destinationPorts !== undefined) found["dport"] = inRanges(destinationPorts, view.destinationPort);
  if (inInterface !== undefined) {
    found["in"] = inInterface.some((name) =>
      Object.entries(INTERFACES).some(([it, index]) =>
        index === view.inInterface && (name.endsWith("+") ? it.startsWith(name.slice(0, -1)) : it === name)
      )
    );
  }
  if (mark !== undefined) found["mark"] = (BigInt(view.mark) & BigInt(mark.mask)) === BigInt(mark.value);
  if (states !== undefined) found["state"] = (view.state & states) !== 0;
  if (services !== undefined) found["service"] = services.includes(SERVICES[view.service] ?? "");
  return found;
}

Deno.test("property: the compiled walk decides, marks and counts as a naive reading does", () => {
  const packets = fc.array(anyPacket, { minLength: 1, maxLength: 20 });
  proveProperty(
    fc.property(anyChains, packets, (chains, packets) => {
      const [set, naive] = [ruleSet(chains), new Naive(chains)];
      let nowMs = 0;
      for (const it of packets) {
        nowMs += it.waitMs;
        const [view, asked, plain] = [viewOf(it), viewOf(it), viewOf(it)];
        const foretold = set.ask(0, asked, nowMs).verdict;
        const verdict = set.walk(0, view, nowMs);
        assert.equal(verdict, naive.decide(plain, nowMs));
        assert.equal(view.mark, plain.mark);
        // Asking twice for one limit in one packet differs: only the walk takes the first token.
        if (chains.every(({ rules }) => rules.every((rule) => rule.match.limit === undefined))) {
          if (chains.every(({ rules }) => rules.every((rule) => rule.not?.limit === undefined))) {
            assert.deepEqual([foretold, asked.mark], [verdict, view.mark]);
          }
        }
      }
      chains.forEach(({ rules }, chain) =>
        rules.forEach((rule, place) =>
          assert.equal(set.counters(chain, place).packets, naive.packets.get(rule) ?? 0, `${chain} ${place}`)
        )
      );
    }),
    1_000,
  );
});
