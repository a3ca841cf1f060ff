/**
 * Rules in force as plain JSON.
 *
 * @module
 */
import type { ChainStatus, RulesStatus } from "../admin/source.ts";
import { listRule } from "../hooks/listing.ts";
import type { Chain } from "../hooks/rule.ts";
import type { RuleSet } from "../hooks/rule_set.ts";
import { emulationOf, emulationOfPolicy } from "./rule_emulation.ts";

/** `/rules`. */
export function rulesStatus(set: RuleSet): RulesStatus {
  return { chains: set.chains.map((chain, i) => chainStatus(set, chain, i)) };
}

function chainStatus(set: RuleSet, chain: Chain, number: number): ChainStatus {
  const { name, base, rules } = chain;
  const references = set.chains.flatMap((it) => it.rules).filter(({ target }) =>
    target.kind === "jump" && target.chain === name
  );
  return {
    name,
    hook: base?.hook ?? null,
    priority: base?.priority ?? null,
    policy: base === undefined ? null : base.policy === "drop" ? "DROP" : "ACCEPT",
    emulated: base === undefined ? "" : emulationOfPolicy(base.policy),
    ...set.counters(number),
    references: references.length,
    rules: rules.map((rule, place) => ({
      number: place + 1,
      ...set.counters(number, place),
      ...listRule(rule),
      comment: rule.comment ?? "",
      emulated: emulationOf(rule),
    })),
  };
}
