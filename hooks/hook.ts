/**
 * The five netfilter hooks, the priorities on them, and the verdicts.
 *
 * @module
 */

/** Hooks in the order a packet meets them, with the kernel's numbers (`enum nf_inet_hooks`). */
export const HOOK = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
export type Hook = typeof HOOK[keyof typeof HOOK];
export type HookName = keyof typeof HOOK;

/** Names by number. */
export const HOOK_NAMES: readonly HookName[] = ["prerouting", "input", "forward", "output", "postrouting"];

/** Lower runs first (`enum nf_ip_hook_priorities`). */
export const PRIORITY = {
  raw: -300,
  conntrack: -200,
  /** MARK belongs here: before anything that looks at marks. */
  mangle: -150,
  destinationNat: -100,
  filter: 0,
  /** Allow and deny lists and limits of single services: behind the filter, so that both have to agree. */
  service: 1,
  sourceNat: 100,
} as const;

/** Where the director's functions hang; offsets of the NAT priorities, as in the kernel's `ip_vs_core.c`. */
export const DIRECTOR_PRIORITY = {
  inputReply: PRIORITY.sourceNat - 2,
  inputRequest: PRIORITY.sourceNat - 1,
  outputReply: PRIORITY.destinationNat + 1,
  outputRequest: PRIORITY.destinationNat + 2,
  forwardIcmp: PRIORITY.sourceNat - 1,
  forwardReply: PRIORITY.sourceNat,
} as const;

/** What a hook function says of a packet. */
export const VERDICT = {
  /** The next function, then the next hook. */
  accept: 0,
  /** Gone in silence. */
  drop: 1,
  /** The function took it over; nobody else sees it. */
  stolen: 2,
  /** Dropped, and the sender is told in the way of `PacketView.rejectWith`. */
  reject: 3,
} as const;
export type HookVerdict = typeof VERDICT[keyof typeof VERDICT];

/** How a sender is told, by the names of iptables and ip6tables. */
export const REJECT_KINDS = [
  "icmp-port-unreachable",
  "icmp-host-unreachable",
  "icmp-net-unreachable",
  "icmp-proto-unreachable",
  "icmp-host-prohibited",
  "icmp-net-prohibited",
  "icmp-admin-prohibited",
  "tcp-reset",
  "icmp6-port-unreachable",
  "icmp6-addr-unreachable",
  "icmp6-no-route",
  "icmp6-adm-prohibited",
] as const;
export type RejectKind = typeof REJECT_KINDS[number];

/** The message of the other IP version that says the same (RFC 7915 section 4.2); one rule serves both families. */
const COUNTERPART: Readonly<Record<RejectKind, RejectKind>> = {
  "icmp-port-unreachable": "icmp6-port-unreachable",
  "icmp-host-unreachable": "icmp6-addr-unreachable",
  "icmp-net-unreachable": "icmp6-no-route",
  "icmp-proto-unreachable": "icmp6-port-unreachable",
  "icmp-host-prohibited": "icmp6-adm-prohibited",
  "icmp-net-prohibited": "icmp6-adm-prohibited",
  "icmp-admin-prohibited": "icmp6-adm-prohibited",
  "tcp-reset": "tcp-reset",
  "icmp6-port-unreachable": "icmp-port-unreachable",
  "icmp6-addr-unreachable": "icmp-host-unreachable",
  "icmp6-no-route": "icmp-net-unreachable",
  "icmp6-adm-prohibited": "icmp-admin-prohibited",
};

/**
 * The kind to send to a packet of this family.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(rejectKindFor("icmp-admin-prohibited", 6), "icmp6-adm-prohibited");
 * assert.equal(rejectKindFor("icmp-admin-prohibited", 4), "icmp-admin-prohibited");
 * ```
 */
export function rejectKindFor(kind: RejectKind, family: number): RejectKind {
  const isOfFamily = kind === "tcp-reset" || kind.startsWith("icmp6-") === (family === 6);
  return isOfFamily ? kind : COUNTERPART[kind];
}
