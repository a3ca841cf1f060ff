/**
 * Compiled chains with their counters and limits, and the walk over them.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import type { Random } from "../net/random.ts";
import { compile, type RuleNames } from "./compile.ts";
import { CHAIN, CHAIN_WORDS, type Compiled, RULE, RULE_WORDS, TARGET } from "./compiled.ts";
import { HOOK, type Hook, type HookVerdict, VERDICT } from "./hook.ts";
import { Limiter } from "./limiter.ts";
import { Matcher } from "./matcher.ts";
import type { PacketView, SourceConnections } from "./packet_view.ts";
import type { Chain, Limit, Rule, SourcePrefix } from "./rule.ts";

export interface RuleSetOptions {
  /** In the order they are listed; base chains on one hook with equal priorities run in this order. */
  readonly chains: readonly Chain[];
  readonly names: RuleNames;
  readonly random: Random;
  readonly connections: SourceConnections;
  /** Told by LOG. The packet's view is refilled afterwards: copy what is kept. */
  readonly onLog: (rule: Rule, chain: Chain, view: PacketView) => void;
  /** The rules before: what did not change keeps its counters, tokens and sources. */
  readonly previous?: RuleSet;
  /** Where to count, {@linkcode counterSlots} of them: shared memory, for another thread to read. */
  readonly counters?: Float64Array;
}

/** Packets and bytes of each rule, then of each chain's policy. */
export function counterSlots(chains: readonly Chain[]): number {
  return 2 * chains.reduce((sum, it) => sum + it.rules.length + 1, 0);
}

/** Packets and bytes. */
export interface RuleCounters {
  readonly packets: number;
  readonly bytes: number;
}

/** Rules in force. */
export class RuleSet {
  readonly chains: readonly Chain[];
  readonly #compiled: Compiled;
  readonly #rules: readonly Rule[];
  readonly #matcher: Matcher;
  readonly #onLog: RuleSetOptions["onLog"];
  /** Packets and bytes of each rule, then of each chain's policy. */
  readonly #counters: Float64Array;
  readonly #identities: readonly string[];
  readonly #limiters = new Map<string, Limiter>();
  /** For each chain that jumped: the rule to go on with, and its chain. */
  readonly #stack: Int32Array;

  /** @throws {ValueError} `CHAIN_UNKNOWN`, `CHAIN_LOOP` */
  constructor(options: RuleSetOptions) {
    const { chains, names, random, connections, onLog, previous } = options;
    this.chains = chains;
    this.#onLog = onLog;
    this.#rules = chains.flatMap((it) => it.rules);
    this.#identities = identitiesOf(chains);
    const list: Limiter[] = [];
    const most = sourcesOfEach(this.#rules);
    const before = previous === undefined ? undefined : previous.#limiters;
    this.#compiled = compile(chains, names, (rule, limit, negated) => {
      const key = `${negated} ${this.#identities[rule]}`;
      const limiter = before?.get(key) ?? new Limiter(limit, most, random.below(2 ** 32));
      this.#limiters.set(key, limiter);
      return list.push(limiter) - 1;
    });
    this.#matcher = new Matcher(this.#compiled, list, connections);
    this.#counters = options.counters ?? new Float64Array(counterSlots(chains));
    this.#stack = new Int32Array(chains.length * 2);
    if (previous !== undefined) this.#takeCounters(previous);
  }

  /** What counts as one source in the rules that ask for connections by source. */
  get connectionSources(): readonly SourcePrefix[] {
    return this.#rules.flatMap(({ match, not }) => [match.connectionsAbove, not?.connectionsAbove])
      .flatMap((it) => it === undefined ? [] : [it.perSource]);
  }

  /** Base chains of a hook: their numbers and priorities, in the order of the list. */
  baseChains(hook: Hook): { readonly chain: number; readonly priority: number }[] {
    return this.chains.flatMap(({ base }, chain) =>
      base !== undefined && HOOK[base.hook] === hook ? [{ chain, priority: base.priority }] : []
    );
  }

  /** Leads a packet through a base chain. */
  walk(chain: number, view: PacketView, nowMs: number): HookVerdict {
    return this.#walk(chain, view, nowMs, undefined);
  }

  /**
   * What {@linkcode walk} would say, with the rules that match on the way; nothing is counted, logged or taken from a limit.
   * The view's mark is changed.
   */
  ask(chain: number, view: PacketView, nowMs: number): { verdict: HookVerdict; rules: readonly number[] } {
    const rules: number[] = [];
    return { verdict: this.#walk(chain, view, nowMs, rules), rules };
  }

  /**
   * @param place number of a rule within its chain; left out: the chain's policy
   * @param others counters of an equal set in another thread, added up
   */
  counters(chain: number, place?: number, others?: Float64Array): RuleCounters {
    const first = this.#compiled.chains[chain * CHAIN_WORDS + CHAIN.firstRule] ?? 0;
    const at = 2 * (place === undefined ? this.#rules.length + chain : first + place);
    const sum = (slot: number) => (this.#counters[slot] ?? 0) + (others?.[slot] ?? 0);
    return { packets: sum(at), bytes: sum(at + 1) };
  }

  /** Chain and place of a rule by its number. */
  placeOf(rule: number): { readonly chain: number; readonly place: number } {
    const chains = this.#compiled.chains;
    let chain = 0;
    while ((chains[chain * CHAIN_WORDS + CHAIN.endRule] ?? Infinity) <= rule) chain++;
    return { chain, place: rule - (chains[chain * CHAIN_WORDS + CHAIN.firstRule] ?? 0) };
  }

  /** Counters begin at 0 again (`-Z`). */
  zero(): void {
    this.#counters.fill(0);
  }

  #walk(base: number, view: PacketView, nowMs: number, asked: number[] | undefined): HookVerdict {
    const { rules, chains } = this.#compiled;
    const stack = this.#stack;
    let depth = 0;
    let rule = chains[base * CHAIN_WORDS + CHAIN.firstRule] ?? 0;
    let end = chains[base * CHAIN_WORDS + CHAIN.endRule] ?? 0;
    view.chain = base;
    for (;;) {
      if (rule >= end) {
        if (depth === 0) break;
        depth--;
        rule = stack[depth * 2] ?? 0;
        end = stack[depth * 2 + 1] ?? 0;
        continue;
      }
      if (!this.#matcher.matches(rule, view, nowMs, asked === undefined)) {
        rule++;
        continue;
      }
      if (asked === undefined) this.#count(rule, view.bytes);
      else asked.push(rule);
      const at = rule * RULE_WORDS;
      const a = rules[at + RULE.a] ?? 0;
      switch (rules[at + RULE.target]) {
        case TARGET.accept:
          view.rule = rule;
          return VERDICT.accept;
        case TARGET.drop:
          view.rule = rule;
          return VERDICT.drop;
        case TARGET.reject:
          view.rule = rule;
          view.rejectWith = a;
          return VERDICT.reject;
        case TARGET.return:
          rule = end;
          continue;
        case TARGET.mark:
          view.mark = ((view.mark & ~(rules[at + RULE.b] ?? 0)) | a) >>> 0;
          break;
        case TARGET.log:
          if (asked === undefined) this.#log(rule, view);
          break;
        case TARGET.jump:
          stack[depth * 2] = rule + 1;
          stack[depth * 2 + 1] = end;
          depth++;
          rule = chains[a * CHAIN_WORDS + CHAIN.firstRule] ?? 0;
          end = chains[a * CHAIN_WORDS + CHAIN.endRule] ?? 0;
          continue;
        default:
      }
      rule++;
    }
    view.rule = -1;
    if (asked === undefined) this.#count(this.#rules.length + base, view.bytes);
    return chains[base * CHAIN_WORDS + CHAIN.policy] === VERDICT.drop ? VERDICT.drop : VERDICT.accept;
  }

  #count(row: number, bytes: number): void {
    const counters = this.#counters;
    counters[row * 2] = (counters[row * 2] ?? 0) + 1;
    counters[row * 2 + 1] = (counters[row * 2 + 1] ?? 0) + bytes;
  }

  #log(number: number, view: PacketView): void {
    const rule = this.#rules[number];
    const chain = this.chains[this.placeOf(number).chain];
    if (rule !== undefined && chain !== undefined) this.#onLog(rule, chain, view);
  }

  #takeCounters(previous: RuleSet): void {
    const rows = new Map(previous.#identities.map((identity, row) => [identity, row]));
    this.#identities.forEach((identity, row) => {
      const old = rows.get(identity);
      if (old === undefined) return;
      this.#counters[row * 2] = previous.#counters[old * 2] ?? 0;
      this.#counters[row * 2 + 1] = previous.#counters[old * 2 + 1] ?? 0;
    });
  }
}

/** Equal for a rule that did not change: its chain, what it says, and which of several equal ones it is. Policies follow. */
function identitiesOf(chains: readonly Chain[]): string[] {
  const seen = new Map<string, number>();
  const rules = chains.flatMap(({ name, rules }) =>
    rules.map((rule) => {
      const text = `${name} ${JSON.stringify(rule)}`;
      const times = seen.get(text) ?? 0;
      seen.set(text, times + 1);
      return `${times} ${text}`;
    })
  );
  return [...rules, ...chains.map((it) => `policy ${it.name}`)];
}

/** All limits that are kept per source share `LIMITS.ruleSources`. */
function sourcesOfEach(rules: readonly Rule[]): number {
  const perSource = (limit: Limit | undefined) => limit?.perSource === undefined ? 0 : 1;
  const count = rules.reduce((sum, it) => sum + perSource(it.match.limit) + perSource(it.not?.limit), 0);
  return Math.min(LIMITS.ruleSourcesOfOne, Math.floor(LIMITS.ruleSources / Math.max(1, count)));
}
