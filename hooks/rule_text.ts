/**
 * A rule in one line, for people who ask what a packet met.
 *
 * @module
 */
import { listRule } from "./listing.ts";
import type { RuleSet } from "./rule_set.ts";

/** `PREROUTING 1: MARK tcp from anywhere to 10.0.0.1 MARK set 0x7`; `number` counts over all chains. */
export function ruleText(set: RuleSet, number: number): string {
  const { chain, place } = set.placeOf(number);
  const rule = set.chains[chain]?.rules[place];
  if (rule === undefined) return "";
  const { target, protocol, source, destination, options } = listRule(rule);
  const words = [target, protocol === "all" ? "" : protocol, `from ${source} to ${destination}`, options];
  return `${set.chains[chain]?.name} ${place + 1}: ${words.filter((it) => it !== "").join(" ")}`;
}
