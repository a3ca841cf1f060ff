/**
 * What the rules would say of a new connection, and which of them it meets. Nothing is counted, logged or taken from a limit.
 *
 * @module
 */
import { DROP_REASON, type DropReason } from "../director/verdict.ts";
import { DIRECTOR_PRIORITY, HOOK, VERDICT } from "../hooks/hook.ts";
import { ruleText } from "../hooks/rule_text.ts";
import type { PacketView } from "../hooks/packet_view.ts";
import type { RuleSet } from "../hooks/rule_set.ts";

/** The rules' answer. */
export interface RuleAnswer {
  /** `none` when the director is asked. */
  readonly refusal: DropReason;
  /** Every rule that matched, in order: `PREROUTING 1: MARK tcp from anywhere to 10.0.0.1 MARK set 0x7`. */
  readonly met: readonly string[];
}

/** Asks PREROUTING, then INPUT up to the director. The view's mark is then what the director would see. */
export function askRules(set: RuleSet, view: PacketView, nowMs: number): RuleAnswer {
  const met: string[] = [];
  for (const hook of [HOOK.prerouting, HOOK.input] as const) {
    const last = hook === HOOK.input ? DIRECTOR_PRIORITY.inputRequest : Infinity;
    const chains = set.baseChains(hook).filter((it) => it.priority <= last)
      .sort((a, b) => a.priority - b.priority);
    for (const { chain } of chains) {
      const { verdict, rules } = set.ask(chain, view, nowMs);
      met.push(...rules.map((rule) => ruleText(set, rule)));
      if (verdict === VERDICT.accept) continue;
      if (view.rule < 0) met.push(`${set.chains[chain]?.name}: policy DROP`);
      const refusal = verdict === VERDICT.reject ? DROP_REASON.ruleReject : DROP_REASON.ruleDrop;
      return { refusal, met };
    }
  }
  return { refusal: DROP_REASON.none, met };
}
