/**
 * Rules across the values of rules and chains.
 *
 * @module
 */
import { HOOK_NAMES } from "../hooks/hook.ts";
import { LIMITS } from "../limits.ts";
import type { Prefix } from "../net/prefix.ts";
import { defaultServiceName } from "./identity.ts";
import type { Mistake } from "./mistakes.ts";
import { suggestion } from "./nearest.ts";
import type { Path } from "./positions.ts";
import type { ReadableConfig, ReadableRule, ReadableService } from "./readable.ts";
import { SERVICE_CHAIN } from "./rule_build.ts";
import type { WrittenMatch } from "./rule_schema.ts";
import { beyondSocketEngines } from "./socket_engine_rules.ts";
import { jumpsLeadSomewhere } from "./jump_rules.ts";

/** Says what is wrong with one rule. */
type RuleRule = (rule: ReadableRule) => Iterable<Mistake>;

const RULE_RULES: readonly RuleRule[] = [
  targetIsOne,
  portsHaveAProtocol,
  resetIsForTcp,
  familiesMeet,
  limitStandsOnce,
  notSaysSomething,
];

/** Everything that is wrong with the rules of a config. */
export function* ruleMistakes(config: ReadableConfig): Iterable<Mistake> {
  const chains = config.rules;
  const rules = chains.flatMap((it) => it.rules);
  for (const rule of rules) for (const check of RULE_RULES) yield* check(rule);
  yield* chainNamesAreFree(config);
  yield* jumpsLeadSomewhere(chains);
  yield* servicesAreThere(rules, config.services);
  yield* beyondSocketEngines(chains);
  yield* sizeIsBounded(config);
}

/** The conditions that have to hold, and those of which none may, with their paths. */
function sidesOf({ rule, path }: ReadableRule): readonly (readonly [WrittenMatch, Path])[] {
  const { not, target: _, comment: __, ...match } = rule;
  return [[match, path], [not ?? {}, [...path, "not"]]];
}

function* targetIsOne({ rule: { target }, path }: ReadableRule): Iterable<Mistake> {
  if (typeof target === "string") return;
  const keys = Object.keys(target);
  if (keys.length === 1) return;
  const message = keys.length === 0
    ? "target is empty; write for example {mark: 7}"
    : `target has ${keys.length} keys (${
      keys.join(", ")
    }); a rule has one target, so write one rule for each`;
  yield { path: [...path, "target"], part: "value", message };
}

function* portsHaveAProtocol(rule: ReadableRule): Iterable<Mistake> {
  const protocols = rule.rule.protocol ?? [];
  const withoutPorts = protocols.find((it) => it !== "tcp" && it !== "udp" && it !== "sctp");
  for (const [match, path] of sidesOf(rule)) {
    for (const key of ["ports", "sourcePorts"] as const) {
      if (match[key] === undefined) continue;
      if (protocols.length === 0) {
        const message = `${key} cannot be read without a protocol; add protocol: tcp, udp or [tcp, udp]`;
        yield { path: [...path, key], part: "key", message };
      } else if (withoutPorts !== undefined) {
        yield {
          path: [...path, key],
          part: "key",
          message: `${key}: the protocol ${withoutPorts} has no ports`,
        };
      }
    }
  }
}

function* resetIsForTcp({ rule, path }: ReadableRule): Iterable<Mistake> {
  const { target, protocol = [] } = rule;
  if (typeof target === "string" || target.reject !== "tcp-reset") return;
  if (protocol.length > 0 && protocol.every((it) => it === "tcp")) return;
  const message = "tcp-reset is for TCP alone; add protocol: tcp, as iptables wants it too";
  yield { path: [...path, "target", "reject"], part: "value", message };
}

function* familiesMeet({ rule, path }: ReadableRule): Iterable<Mistake> {
  const { family, source, destination } = rule;
  const only = (list: readonly Prefix[] | undefined) => {
    const families = new Set(list?.map((it) => it.address.family));
    return families.size === 1 ? [...families][0] : undefined;
  };
  const wanted = family === undefined ? undefined : family === "ipv4" ? 4 : 6;
  const found: [string, 4 | 6 | undefined][] = [
    ["family", wanted],
    ["source", only(source)],
    ["destination", only(destination)],
  ];
  const given = found.filter(([, it]) => it !== undefined);
  const other = given.find(([, it]) => it !== given[0]?.[1]);
  if (other === undefined || given[0] === undefined) return;
  const message = `${other[0]} is IPv${other[1]} and ${given[0][0]} is IPv${
    given[0][1]
  }: no packet is both; split the rule`;
  yield { path: [...path, other[0]], part: "value", message };
}

function* limitStandsOnce({ rule, path }: ReadableRule): Iterable<Mistake> {
  const { target, not } = rule;
  if (typeof target === "string" || target.limit === undefined || not?.limit === undefined) return;
  const message = "the target limit already means what exceeds a rate; take the limit out of not";
  yield { path: [...path, "not", "limit"], part: "key", message };
}

function* notSaysSomething({ rule: { not }, path }: ReadableRule): Iterable<Mistake> {
  if (not === undefined || Object.keys(not).length > 0) return;
  yield { path: [...path, "not"], part: "key", message: "not has no condition; take it out, or add one" };
}

function* chainNamesAreFree({ rules }: ReadableConfig): Iterable<Mistake> {
  const taken = [...HOOK_NAMES.map((it) => it.toUpperCase()), SERVICE_CHAIN];
  for (const { name, hook, path } of rules) {
    if (hook !== undefined || !taken.includes(name.toUpperCase())) continue;
    yield { path, part: "key", message: `"${name}" is the name of a built-in chain; choose another` };
  }
}

function* servicesAreThere(
  rules: readonly ReadableRule[],
  services: readonly ReadableService[],
): Iterable<Mistake> {
  const names = services.flatMap(({ name, protocol, listen, mark }) => {
    if (name !== undefined) return [name];
    if (protocol === undefined || listen === undefined) return [];
    return [defaultServiceName({ protocol, listen, mark })];
  });
  for (const rule of rules) {
    for (const [match, path] of sidesOf(rule)) {
      for (const name of match.service ?? []) {
        if (names.includes(name)) continue;
        const known = names.length === 0 ? "there is none" : `there are ${names.slice(0, 8).join(", ")}`;
        const message = `no service is named "${name}"; ${known}${suggestion(name, names)}`;
        yield { path: [...path, "service"], part: "value", message };
      }
    }
  }
}

function* sizeIsBounded({ rules, services }: ReadableConfig): Iterable<Mistake> {
  const all = rules.flatMap((it) => it.rules);
  if (all.length > LIMITS.rules) {
    yield { path: ["rules"], part: "key", message: `${all.length} rules; there may be ${LIMITS.rules}` };
  }
  const inRules = all.flatMap(sidesOf).flatMap(([it]) => [it.source, it.destination]);
  const inServices = services.flatMap((it) => [it.allow, it.deny]);
  const prefixes = [...inRules, ...inServices].reduce((sum, it) => sum + (it?.length ?? 0), 0);
  if (prefixes > LIMITS.rulePrefixes) {
    const message = `${prefixes} address prefixes in all rules together; there may be ${LIMITS.rulePrefixes}`;
    yield { path: [inRules.length > 0 ? "rules" : "services"], part: "key", message };
  }
}
