/**
 * From rules to typed arrays.
 *
 * @module
 */
import { ValueError } from "../errors.ts";
import { maskWords, type Prefix } from "../net/prefix.ts";
import { type Compiled, CONDITION_WORDS, KIND, NEGATED, RULE_WORDS, TARGET } from "./compiled.ts";
import { REJECT_KINDS, VERDICT } from "./hook.ts";
import { findJumpLoop } from "./jumps.ts";
import type { Chain, Limit, Match, PortRange, Rule, Target } from "./rule.ts";

/** Number of the limiter for a limit of a rule, by the rule's number. */
export type LimiterFor = (rule: number, limit: Limit, negated: boolean) => number;

/** What names in rules stand for. */
export interface RuleNames {
  /** Virtual services in the order of their numbers in `PacketView.service`. */
  readonly services: readonly string[];
  /** Interfaces of the system. */
  readonly interfaces: readonly { readonly name: string; readonly index: number }[];
}

/**
 * Compiles chains; rules and chains keep their order.
 *
 * @throws {ValueError} `CHAIN_UNKNOWN`, `CHAIN_LOOP`
 */
export function compile(
  chains: readonly Chain[],
  names: RuleNames,
  limiterFor: LimiterFor,
): Compiled {
  const loop = findJumpLoop(chains);
  if (loop !== undefined) {
    throw new ValueError(
      "CHAIN_LOOP",
      `chains jump in a circle: ${loop.join(" -> ")}; take out one jump`,
      {},
    );
  }
  const compiler = new Compiler(chains.map((it) => it.name), names, limiterFor);
  for (const chain of chains) compiler.chain(chain);
  return compiler.finish();
}

class Compiler {
  readonly #rules: number[] = [];
  readonly #conditions: number[] = [];
  readonly #ranges: number[] = [];
  readonly #prefixes: number[] = [];
  readonly #chains: number[] = [];
  readonly #chainNames: readonly string[];
  readonly #names: RuleNames;
  readonly #limiterFor: LimiterFor;

  constructor(
    chainNames: readonly string[],
    names: RuleNames,
    limiterFor: LimiterFor,
  ) {
    this.#chainNames = chainNames;
    this.#names = names;
    this.#limiterFor = limiterFor;
  }

  chain({ rules, base }: Chain): void {
    const first = this.#rules.length / RULE_WORDS;
    for (const rule of rules) this.#rule(rule);
    const policy = base?.policy === "drop" ? VERDICT.drop : VERDICT.accept;
    this.#chains.push(first, this.#rules.length / RULE_WORDS, policy);
  }

  finish(): Compiled {
    return {
      rules: Int32Array.from(this.#rules),
      conditions: Int32Array.from(this.#conditions),
      ranges: Int32Array.from(this.#ranges),
      prefixes: Int32Array.from(this.#prefixes),
      chains: Int32Array.from(this.#chains),
    };
  }

  #rule(rule: Rule): void {
    const first = this.#conditions.length / CONDITION_WORDS;
    const conditions = [...this.#match(rule.match, 0), ...this.#match(rule.not ?? {}, NEGATED)];
    conditions.sort((a, b) => (a[0] & ~NEGATED) - (b[0] & ~NEGATED));
    for (const condition of conditions) this.#conditions.push(...condition);
    const end = this.#conditions.length / CONDITION_WORDS;
    this.#rules.push(first, end, ...this.#target(rule.target));
  }

  #match(match: Match, negated: number): [number, number, number, number][] {
    const found: [number, number, number, number][] = [];
    const add = (kind: number, a: number, b = 0, c = 0) => found.push([kind | negated, a, b, c]);
    const ranges = (kind: number, list: readonly PortRange[] | undefined) => {
      if (list !== undefined) add(kind, ...this.#addRanges(list));
    };
    const numbers = (kind: number, list: readonly number[] | undefined) =>
      ranges(kind, list?.map((it) => ({ first: it, last: it })));
    const prefixes = (kind: number, list: readonly Prefix[] | undefined) => {
      if (list !== undefined) add(kind, ...this.#addPrefixes(list));
    };
    if (match.family !== undefined) add(KIND.family, match.family);
    numbers(KIND.protocol, match.protocols);
    numbers(KIND.service, match.services?.map((it) => this.#names.services.indexOf(it)).filter(isKnown));
    ranges(KIND.sourcePort, match.sourcePorts);
    ranges(KIND.destinationPort, match.destinationPorts);
    if (match.mark !== undefined) add(KIND.mark, match.mark.value, match.mark.mask);
    if (match.states !== undefined) add(KIND.state, match.states);
    numbers(KIND.inInterface, match.inInterface?.flatMap((it) => this.#interfaces(it)));
    numbers(KIND.outInterface, match.outInterface?.flatMap((it) => this.#interfaces(it)));
    prefixes(KIND.source, match.source);
    prefixes(KIND.destination, match.destination);
    if (match.connectionsAbove !== undefined) {
      const { count, perSource } = match.connectionsAbove;
      add(KIND.connections, count, perSource.ipv4, perSource.ipv6);
    }
    if (match.limit !== undefined) {
      add(KIND.limit, this.#limiterFor(this.#rules.length / RULE_WORDS, match.limit, negated !== 0));
    }
    return found;
  }

  #target(target: Target): [number, number, number] {
    switch (target.kind) {
      case "reject":
        return [TARGET.reject, REJECT_KINDS.indexOf(target.with), 0];
      case "mark":
        return [TARGET.mark, target.mark.value | 0, target.mark.mask | 0];
      case "jump": {
        const chain = this.#chainNames.indexOf(target.chain);
        if (chain >= 0) return [TARGET.jump, chain, 0];
        throw new ValueError("CHAIN_UNKNOWN", `there is no chain "${target.chain}" to jump to; define it`, {
          value: target.chain,
        });
      }
      default:
        return [TARGET[target.kind], 0, 0];
    }
  }

  #interfaces(name: string): number[] {
    const start = name.endsWith("+") ? name.slice(0, -1) : undefined;
    return this.#names.interfaces
      .filter((it) => start === undefined ? it.name === name : it.name.startsWith(start))
      .map((it) => it.index);
  }

  #addRanges(list: readonly PortRange[]): [number, number] {
    const first = this.#ranges.length;
    for (const range of list) this.#ranges.push(range.first, range.last);
    return [first, this.#ranges.length];
  }

  #addPrefixes(list: readonly Prefix[]): [number, number] {
    const first = this.#prefixes.length;
    for (const { address, length } of list) {
      this.#prefixes.push(address.family, ...address.words, ...maskWords(address.family, length));
    }
    return [first, this.#prefixes.length];
  }
}

function isKnown(number: number): boolean {
  return number >= 0;
}
