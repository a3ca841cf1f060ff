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

/** `/rules`. `others`: what other threads have counted of the same rules. */
export function rulesStatus(set: RuleSet, others?: Float64Array): RulesStatus {
  return { chains: set.chains.map((chain, i) => chainStatus(set, chain, i, others)) };
}

function chainStatus(set: RuleSet, chain: Chain, number: number, others?: Float64Array): ChainStatus {
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
    ...set.counters(number, undefined, others),
    references: references.length,
    rules: rules.map((rule, place) => ({
      number: place + 1,
      ...set.counters(number, place, others),
      ...listRule(rule),
      comment: rule.comment ?? "",
      emulated: emulationOf(rule),
    })),
  };
}
