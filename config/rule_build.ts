/**
 * From rules as they stand in the file to chains as hooks/ takes them; a service's own lists become rules too.
 *
 * @module
 */
import { HOOK_NAMES, PRIORITY } from "../hooks/hook.ts";
import { STATE } from "../hooks/packet_view.ts";
import type { Chain, Limit, Match, Rule, Target } from "../hooks/rule.ts";
import { defined } from "./defined.ts";
import { defaultServiceName } from "./identity.ts";
import { RULE_PROTOCOLS } from "./rule_protocols.ts";
import type { WrittenMatch, WrittenRule, WrittenRules } from "./rule_schema.ts";
import type { WrittenService } from "./service_schema.ts";

/** Where the chain of each hook hangs. Marks come before everything, decisions in the filter. */
const PRIORITIES = {
  prerouting: PRIORITY.mangle,
  input: PRIORITY.filter,
  forward: PRIORITY.filter,
  output: PRIORITY.filter,
  postrouting: PRIORITY.mangle,
} as const;

/** Name of the chain that the lists and limits of single services are in. */
export const SERVICE_CHAIN = "SERVICES";

/** Chains in the order of the hooks, then those of the services, then the user's own. Hooks without rules have none. */
export function buildRules(written: WrittenRules, services: readonly WrittenService[]): readonly Chain[] {
  const chains: Chain[] = [];
  for (const hook of HOOK_NAMES) {
    const { policy, chain } = written[hook];
    if (chain.length === 0 && policy === "accept") continue;
    const base = { hook, priority: PRIORITIES[hook], policy };
    chains.push({ name: hook.toUpperCase(), base, rules: chain.map(buildRule) });
  }
  const ofServices = services.flatMap(serviceRules);
  if (ofServices.length > 0) {
    const base = { hook: "input", priority: PRIORITY.service, policy: "accept" } as const;
    chains.push({ name: SERVICE_CHAIN, base, rules: ofServices });
  }
  for (const [name, rules] of Object.entries(written.chains)) {
    chains.push({ name, rules: rules.map(buildRule) });
  }
  return chains;
}

function buildRule({ target, comment, not, ...match }: WrittenRule): Rule {
  const except = not === undefined ? {} : buildMatch(not);
  if (typeof target === "object" && target.limit !== undefined) {
    const over = { ...except, limit: buildLimit(target.limit) };
    return defined({ match: buildMatch(match), not: over, target: { kind: "drop" as const }, comment });
  }
  return defined({
    match: buildMatch(match),
    not: not === undefined ? undefined : except,
    target: buildTarget(target),
    comment,
  });
}

function buildMatch(written: WrittenMatch): Match {
  const { family, protocol, source, destination, ports, sourcePorts, service, mark } = written;
  const { state, inInterface, outInterface, connectionsAbove, limit } = written;
  return defined({
    family: family === undefined ? undefined : family === "ipv4" ? 4 as const : 6 as const,
    protocols: protocol?.map((it) => RULE_PROTOCOLS[it]),
    source,
    destination,
    sourcePorts,
    destinationPorts: ports,
    inInterface,
    outInterface,
    mark,
    states: state?.reduce((bits, it) => bits | STATE[it], 0),
    services: service,
    connectionsAbove: connectionsAbove === undefined ? undefined : {
      count: connectionsAbove.count,
      perSource: { ipv4: connectionsAbove.ipv4, ipv6: connectionsAbove.ipv6 },
    },
    limit: limit === undefined ? undefined : buildLimit(limit),
  });
}

function buildLimit({ rate, burst, per, ipv4, ipv6 }: NonNullable<WrittenMatch["limit"]>): Limit {
  return { ...rate, burst, ...(per === "source" ? { perSource: { ipv4, ipv6 } } : {}) };
}

function buildTarget(target: WrittenRule["target"]): Target {
  if (target === "count") return { kind: "none" };
  if (target === "reject") return { kind: "reject", with: "icmp-port-unreachable" };
  if (typeof target === "string") return { kind: target };
  if (target.mark !== undefined) return { kind: "mark", mark: target.mark };
  if (target.reject !== undefined) return { kind: "reject", with: target.reject };
  if (target.log !== undefined) return { kind: "log", ...target.log };
  return { kind: "jump", chain: target.jump ?? "" };
}

/** `deny`, then `allow`, then `limit`: what is denied stays denied although a wider network is allowed. */
function serviceRules(service: WrittenService): Rule[] {
  const { allow, deny, limit } = service;
  const name = service.name ?? defaultServiceName(service);
  const match = { services: [name] };
  const target = { kind: "drop" } as const;
  const rules: Rule[] = [];
  if (deny.length > 0) rules.push({ match: { ...match, source: deny }, target, comment: `deny of ${name}` });
  if (allow.length > 0) {
    rules.push({ match, not: { source: allow }, target, comment: `allow of ${name}` });
  }
  if (limit !== undefined) {
    rules.push({ match, not: { limit: buildLimit(limit) }, target, comment: `limit of ${name}` });
  }
  return rules;
}
