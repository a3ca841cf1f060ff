/** `lvsd rules` beside what iptables printed of the same rules. */
import assert from "node:assert/strict";
import { formatRules } from "../../cli/rules_text.ts";
import { loadConfig } from "../../config/load.ts";
import { rulesStatus } from "../../daemon/rule_status.ts";
import { ruleSet } from "../unit/hooks/testbed.ts";

const FIXTURES = new URL("../fixtures/rules/", import.meta.url);

function read(name: string): string {
  return Deno.readTextFileSync(new URL(name, FIXTURES));
}

/** With `-n` iptables 1.8.9 prints protocols as numbers, other versions as names. */
function withNames(text: string): string {
  const names: Readonly<Record<string, string>> = { "0": "all", "6": "tcp", "17": "udp" };
  return text.replace(/( )(0|6|17)( +)(?=-- )/g, (_whole, before: string, number: string, space: string) => {
    const name = names[number] ?? number;
    return before + name.padEnd(number.length + space.length);
  });
}

Deno.test("lvsd rules prints what iptables prints of the same rules", () => {
  const set = ruleSet(loadConfig(read("rules.yaml"), "rules.yaml", () => undefined).rules);
  const { chains } = rulesStatus(set);
  const plain = formatRules({ chains }, { exact: false, lineNumbers: false });
  const input = chains.filter((it) => it.name === "INPUT");
  const exact = formatRules({ chains: input }, { exact: true, lineNumbers: true });
  const ours = [plain, exact].map((it) => it.split(/\n(?=emulated: )/)[0]?.replace(/\n+$/, "")).join("\n\n");
  const theirs = withNames(read("iptables.txt")).replace(/\n+$/, "");
  assert.deepEqual(ours.split("\n"), theirs.split("\n"));
});
