/**
 * The five hooks: functions and chains in order of priority, and a packet's way through one hook.
 *
 * @module
 */
import { type Hook, HOOK_NAMES, type HookVerdict, VERDICT } from "./hook.ts";
import type { PacketView } from "./packet_view.ts";
import type { RuleSet } from "./rule_set.ts";

/** Looks at a packet on a hook. Anything but ACCEPT ends its way. */
export type HookFunction = (view: PacketView, nowMs: number) => HookVerdict;

/** A function or a chain on a hook. */
export interface Hung {
  readonly priority: number;
  /** Of a function, for people; `""` for a chain. */
  readonly name: string;
  /** Number of the base chain; undefined for a function. */
  readonly chain: number | undefined;
  readonly run: HookFunction;
}

/**
 * What hangs on the hooks of one director.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { DIRECTOR_PRIORITY, HOOK, PRIORITY, VERDICT } from "./hook.ts";
 * import { PacketView } from "./packet_view.ts";
 *
 * const hooks = new Hooks();
 * const way: string[] = [];
 * const passing = (name: string) => () => {
 *   way.push(name);
 *   return VERDICT.accept;
 * };
 * hooks.register(HOOK.input, DIRECTOR_PRIORITY.inputRequest, () => VERDICT.stolen);
 * hooks.register(HOOK.input, PRIORITY.filter, passing("filter"));
 * hooks.register(HOOK.input, 1_000, passing("too late"));
 * assert.equal(hooks.run(HOOK.input, new PacketView(), 0), VERDICT.stolen);
 * assert.deepEqual(way, ["filter"]);
 * ```
 */
export class Hooks {
  readonly #registered: Hung[][] = HOOK_NAMES.map(() => []);
  readonly #sorted: Hung[][] = HOOK_NAMES.map(() => []);
  readonly #order: HookFunction[][] = HOOK_NAMES.map(() => []);
  #rules: RuleSet | undefined;
  #hasRules = false;

  get rules(): RuleSet | undefined {
    return this.#rules;
  }

  /** Whether any chain stands between a packet and the functions. */
  get hasRules(): boolean {
    return this.#hasRules;
  }

  /**
   * Hangs a function on a hook. Lower priorities run first; of equal ones chains before functions, then the one that came
   * first.
   *
   * @param name for people
   * @returns takes it off again
   */
  register(hook: Hook, priority: number, run: HookFunction, name = ""): () => void {
    const hung = { priority, name, chain: undefined, run };
    this.#registered[hook]?.push(hung);
    this.#sort();
    return () => {
      this.#registered[hook] = (this.#registered[hook] ?? []).filter((it) => it !== hung);
      this.#sort();
    };
  }

  /** Puts all chains in the place of those before, at once. */
  setRules(rules: RuleSet): void {
    this.#rules = rules;
    this.#hasRules = rules.chains.some((it) => it.base !== undefined);
    this.#sort();
  }

  /** What hangs on a hook, in the order it is run. */
  hung(hook: Hook): readonly Hung[] {
    return this.#sorted[hook] ?? [];
  }

  /** Leads a packet through one hook. */
  run(hook: Hook, view: PacketView, nowMs: number): HookVerdict {
    const functions = this.#order[hook];
    if (functions === undefined) return VERDICT.accept;
    for (let i = 0; i < functions.length; i++) {
      const verdict = functions[i]?.(view, nowMs) ?? VERDICT.accept;
      if (verdict !== VERDICT.accept) return verdict;
    }
    return VERDICT.accept;
  }

  #sort(): void {
    const rules = this.#rules;
    this.#registered.forEach((registered, hook) => {
      const chains = (rules?.baseChains(hook as Hook) ?? []).map(({ chain, priority }): Hung => ({
        priority,
        name: "",
        chain,
        run: (view, nowMs) => rules?.walk(chain, view, nowMs) ?? VERDICT.accept,
      }));
      const sorted = [...chains, ...registered].sort((a, b) => a.priority - b.priority);
      this.#sorted[hook] = sorted;
      this.#order[hook] = sorted.map((it) => it.run);
    });
  }
}
