/**
 * Metrics of rules and of the policies of their chains.
 *
 * @module
 */
import { counter, type Emit, type Metric } from "./metric.ts";
import type { RulesStatus } from "./source.ts";

/** `rule` is the rule's number in its chain, or `policy`. */
const LABELS: readonly string[] = ["chain", "rule", "target", "comment"];

export const RULE_METRICS: readonly Metric[] = [
  counter(
    "lvs_rule_packets_total",
    "Packets that matched a rule, or that a policy decided; new connections in socket engines. `lvsd rules -Z` sets it to 0.",
    LABELS,
    ({ status }, emit) => eachRule(status.rules, emit, (it) => it.packets),
  ),
  counter(
    "lvs_rule_bytes_total",
    "Bytes of those packets; in socket engines the payload of datagrams.",
    LABELS,
    ({ status }, emit) => eachRule(status.rules, emit, (it) => it.bytes),
  ),
];

function eachRule(
  { chains }: RulesStatus,
  emit: Emit,
  read: (counters: { readonly packets: number; readonly bytes: number }) => number,
): void {
  for (const chain of chains) {
    for (const { number, target, comment, ...counters } of chain.rules) {
      emit({ chain: chain.name, rule: String(number), target, comment }, read(counters));
    }
    if (chain.policy === null) continue;
    emit({ chain: chain.name, rule: "policy", target: chain.policy, comment: "" }, read(chain));
  }
}
