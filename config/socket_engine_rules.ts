/**
 * What of the rules a socket engine cannot do: it sees new connections, and none of their packets.
 *
 * @module
 */
import type { Mistake } from "./mistakes.ts";
import type { ReadableChain, ReadableRule } from "./readable.ts";
import type { WrittenMatch } from "./rule_schema.ts";

/** What a hook would need, for those that no socket engine runs. */
const PACKET_HOOKS: Readonly<Record<string, string>> = {
  forward: "FORWARD sees the packets of answers, which a socket engine relays itself",
  output: "OUTPUT sees the packets that this host sends, and a socket engine leaves them to the system",
  postrouting: "POSTROUTING sees packets as they leave, and a socket engine leaves them to the system",
};

/** Conditions that a socket says nothing about. */
const PACKET_CONDITIONS: Readonly<Partial<Record<keyof WrittenMatch, string>>> = {
  inInterface: "a socket does not tell the interface that a connection came in by",
  outInterface: "it is known for packets that leave",
};

const NEEDS = "needs the packet engine";

/** Rules that would have to see packets, with the reason. */
export function* beyondSocketEngines(chains: readonly ReadableChain[]): Iterable<Mistake> {
  for (const { hook, path, policy, rules } of chains) {
    const why = hook === undefined ? undefined : PACKET_HOOKS[hook];
    if (why !== undefined && (rules.length > 0 || policy === "drop")) {
      yield { path, part: "key", message: `${hook} ${NEEDS}: ${why}; take it out` };
    } else for (const rule of rules) yield* beyondSockets(rule);
  }
}

function* beyondSockets({ rule, path }: ReadableRule): Iterable<Mistake> {
  const { not, target: _, comment: __, ...match } = rule;
  for (const [conditions, at] of [[match, path], [not ?? {}, [...path, "not"]]] as const) {
    for (const [key, why] of Object.entries(PACKET_CONDITIONS)) {
      if (conditions[key as keyof WrittenMatch] === undefined) continue;
      yield { path: [...at, key], part: "key", message: `${key} ${NEEDS}: ${why}; take it out` };
    }
    for (const state of conditions.state ?? []) {
      if (state !== "related" && state !== "invalid") continue;
      yield {
        path: [...at, "state"],
        part: "value",
        message:
          `state ${state} ${NEEDS}: a socket engine asks the rules once for each new connection, and what ` +
          "belongs to an accepted one passes; take it out",
      };
    }
  }
}
