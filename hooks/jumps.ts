/**
 * Jumps between chains must not lead in a circle: the walk's stack has one place for each chain.
 *
 * @module
 */
import type { Chain } from "./rule.ts";

/**
 * Names of chains that jump in a circle, the first of them again at the end; undefined when there are none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const jump = (chain: string) => ({ match: {}, target: { kind: "jump" as const, chain } });
 * const chains = [{ name: "a", rules: [jump("b")] }, { name: "b", rules: [jump("a")] }];
 * assert.deepEqual(findJumpLoop(chains), ["a", "b", "a"]);
 * ```
 */
export function findJumpLoop(chains: readonly Chain[]): readonly string[] | undefined {
  const byName = new Map(chains.map((it) => [it.name, it]));
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (name: string): readonly string[] | undefined => {
    if (done.has(name)) return undefined;
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    trail.push(name);
    for (const { target } of byName.get(name)?.rules ?? []) {
      const loop = target.kind === "jump" ? visit(target.chain) : undefined;
      if (loop !== undefined) return loop;
    }
    trail.pop();
    done.add(name);
    return undefined;
  };
  for (const { name } of chains) {
    const loop = visit(name);
    if (loop !== undefined) return loop;
  }
  return undefined;
}
