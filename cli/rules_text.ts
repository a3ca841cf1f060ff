/**
 * Rules as `iptables -L -v -n` prints them: the same columns, widths and suffixes (xshared.c of iptables 1.8).
 *
 * @module
 */
import type { ChainStatus, RulesStatus, RuleStatus } from "../admin/source.ts";
import { printable } from "./table.ts";

/**
 * @param options `exact`: whole numbers instead of K, M, G; `lineNumbers`: a column with the number of each rule
 */
export function formatRules(
  { chains }: RulesStatus,
  options: { readonly exact: boolean; readonly lineNumbers: boolean },
): string {
  if (chains.length === 0) return "no rules; see docs/rules.md and lvsd check\n";
  const texts = chains.map((chain) => formatChain(chain, options));
  const notes = notesOf(chains);
  return [...texts, ...(notes === "" ? [] : [notes])].join("\n");
}

function formatChain(
  chain: ChainStatus,
  { exact, lineNumbers }: { readonly exact: boolean; readonly lineNumbers: boolean },
): string {
  const { name, policy, packets, bytes, references, rules } = chain;
  const counts = `${quantity(packets, exact, 0)} packets, ${quantity(bytes, exact, 0)} bytes`;
  const kind = policy === null ? `${references} references` : `policy ${policy} ${counts}`;
  const number = (text: string) => lineNumbers ? `${text.padEnd(4)} ` : "";
  const [packetsWidth, bytesWidth] = exact ? [8, 10] : [5, 5];
  const head = `${number("num")}${"pkts".padStart(packetsWidth)} ${"bytes".padStart(bytesWidth)} ` +
    `${"target".padEnd(9)}  prot opt ${"in".padEnd(6)} ${"out".padEnd(6)}  ${"source".padEnd(19)}  ` +
    `${"destination".padEnd(19)} `;
  const lines = rules.map((rule) => number(String(rule.number)) + formatRule(rule, exact));
  return [`Chain ${printable(name)} (${kind})`, head, ...lines].map((line) => `${line}\n`).join("");
}

function formatRule(rule: RuleStatus, exact: boolean): string {
  const { packets, bytes, target, protocol, inInterface, outInterface, source, destination, options } = rule;
  const width = exact ? 8 : 5;
  // A negation stands in the column before, which is otherwise empty.
  const signed = (text: string, columns: number) =>
    text.startsWith("!") ? `!${text.slice(1).padEnd(columns)}` : ` ${text.padEnd(columns)}`;
  const columns = `${quantity(packets, exact, width)} ${quantity(bytes, exact, width)} ${target.padEnd(9)} ` +
    `${signed(protocol, 4)} --  ${signed(inInterface, 6).slice(1)} ${signed(outInterface, 6).slice(1)} ` +
    `${signed(source, 19)} ${signed(destination, 19)} `;
  return printable(options === "" ? columns : `${columns} ${options}`);
}

/** 99,999 as it is, then rounded thousands: `100K`, `9999K`, `10M`; as xtables_print_num. */
export function quantity(count: number, exact: boolean, width: number): string {
  if (exact || count <= 99_999) return String(count).padStart(width);
  let value = count;
  for (const suffix of ["K", "M", "G"]) {
    value = Math.floor((value + 500) / 1_000);
    if (value <= 9_999) return `${value}${suffix}`.padStart(width);
  }
  return `${Math.floor((value + 500) / 1_000)}T`.padStart(width);
}

/** Which verdicts the engine cannot carry out as they say, each once. */
function notesOf(chains: readonly ChainStatus[]): string {
  const all = chains.flatMap((chain) => [
    ...chain.rules.map((it) => ({ what: `${chain.name} ${it.number}`, why: it.emulated })),
    { what: `policy of ${chain.name}`, why: chain.emulated },
  ]);
  const byReason = Map.groupBy(all.filter((it) => it.why !== ""), (it) => it.why);
  return [...byReason].map(([why, list]) => {
    const names = list.slice(0, 5).map((it) => it.what).join(", ");
    const more = list.length > 5 ? ` and ${list.length - 5} more` : "";
    return printable(`emulated: ${names}${more}: ${why}`) + "\n";
  }).join("");
}
