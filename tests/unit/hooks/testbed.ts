/** Rules, packets and rule sets in few words. */
import { Hooks } from "../../../hooks/hooks.ts";
import { PacketView, type SourceConnections } from "../../../hooks/packet_view.ts";
import type { Chain, Match, Rule, Target } from "../../../hooks/rule.ts";
import { RuleSet, type RuleSetOptions } from "../../../hooks/rule_set.ts";
import { parseEndpoint } from "../../../net/endpoint.ts";
import { PROTOCOL } from "../../../net/flow.ts";
import { Prefix } from "../../../net/prefix.ts";
import { SeededRandom } from "../../../net/random.ts";

export const ACCEPT: Target = { kind: "accept" };
export const DROP: Target = { kind: "drop" };
export const RETURN: Target = { kind: "return" };

export function mark(value: number, mask = 0xffffffff): Target {
  return { kind: "mark", mark: { value, mask } };
}

export function jump(chain: string): Target {
  return { kind: "jump", chain };
}

export function rule(match: Match, target: Target, not?: Match): Rule {
  return not === undefined ? { match, target } : { match, not, target };
}

/** The chain INPUT, at the filter's priority. */
export function input(rules: readonly Rule[], policy: "accept" | "drop" = "accept"): Chain {
  return { name: "INPUT", base: { hook: "input", priority: 0, policy }, rules };
}

export function prefixes(...texts: string[]): Prefix[] {
  return texts.map((it) => Prefix.parse(it));
}

/** A TCP packet of a new connection between two endpoints of one family. */
export function packet(
  from = "192.0.2.7:40000",
  to = "10.0.0.1:80",
  changes: Partial<PacketView> = {},
): PacketView {
  const view = new PacketView();
  const [source, destination] = [parseEndpoint(from), parseEndpoint(to)];
  if ("host" in source || "host" in destination) throw new Error("addresses only");
  view.family = source.address.family;
  view.protocol = PROTOCOL.tcp;
  view.source.set(source.address.words);
  view.destination.set(destination.address.words);
  view.sourcePort = source.port;
  view.destinationPort = destination.port;
  view.bytes = 60;
  return Object.assign(view, changes);
}

/** Nobody has a connection. */
export const NO_CONNECTIONS: SourceConnections = { count: () => 0 };

export function ruleSet(chains: readonly Chain[], options: Partial<RuleSetOptions> = {}): RuleSet {
  return new RuleSet({
    chains,
    names: {
      services: ["web", "dns"],
      interfaces: [{ name: "eth0", index: 2 }, { name: "eth1", index: 3 }, { name: "wg0", index: 4 }],
    },
    random: new SeededRandom(1),
    connections: NO_CONNECTIONS,
    onLog: () => {},
    ...options,
  });
}

export function hooksWith(chains: readonly Chain[], options: Partial<RuleSetOptions> = {}): Hooks {
  const hooks = new Hooks();
  hooks.setRules(ruleSet(chains, options));
  return hooks;
}
