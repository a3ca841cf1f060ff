/**
 * Jumps lead to chains that are there, and not in a circle.
 *
 * @module
 */
import { findJumpLoop } from "../hooks/jumps.ts";
import type { Mistake } from "./mistakes.ts";
import { suggestion } from "./nearest.ts";
import type { ReadableChain, ReadableRule } from "./readable.ts";

export function* jumpsLeadSomewhere(chains: readonly ReadableChain[]): Iterable<Mistake> {
  const own = chains.filter((it) => it.hook === undefined).map((it) => it.name);
  const jumps = chains.flatMap((chain) =>
    chain.rules.flatMap((rule) => {
      const to = jumpOf(rule);
      return to === undefined ? [] : [{ from: chain.name, to, path: [...rule.path, "target", "jump"] }];
    })
  );
  for (const { to, path } of jumps) {
    if (own.includes(to)) continue;
    const known = own.length === 0 ? "rules.chains has none" : `rules.chains has ${own.join(", ")}`;
    yield { path, part: "value", message: `there is no chain "${to}"; ${known}${suggestion(to, own)}` };
  }
  const circle = findJumpLoop(chains.map(({ name, rules }) => ({
    name,
    rules: rules.flatMap((rule) => {
      const chain = jumpOf(rule);
      return chain === undefined ? [] : [{ match: {}, target: { kind: "jump" as const, chain } }];
    }),
  })));
  if (circle === undefined) return;
  const first = jumps.find(({ from, to }) => from === circle[0] && to === circle[1]);
  const message = `jumps lead in a circle: ${circle.join(" -> ")}; take out one of them`;
  if (first !== undefined) yield { path: first.path, part: "value", message };
}

function jumpOf({ rule: { target } }: ReadableRule): string | undefined {
  return typeof target === "string" ? undefined : target.jump;
}
