/**
 * Rules and chains as they were meant, before they are compiled.
 *
 * @module
 */
import type { Family } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { HookName, RejectKind } from "./hook.ts";

/** Ports from `first` to `last`, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** A value under a mask, 32 unsigned bits each. */
export interface MaskedMark {
  readonly value: number;
  readonly mask: number;
}

/** Bits of a source address that count as one source. */
export interface SourcePrefix {
  readonly ipv4: number;
  readonly ipv6: number;
}

/** A token bucket: `-m limit`, or `-m hashlimit` when it is kept per source. */
export interface Limit {
  /** Packets in each period. */
  readonly rate: number;
  readonly periodMs: number;
  /** Packets that may come at once; the bucket begins full. */
  readonly burst: number;
  /** One bucket for each source; absent: one for the rule. */
  readonly perSource?: SourcePrefix;
}

/** `-m connlimit --connlimit-above`: more live connections than `count` from one source, this one included. */
export interface ConnectionsAbove {
  readonly count: number;
  readonly perSource: SourcePrefix;
}

/** Conditions; all have to hold. Of a list one item is enough. */
export interface Match {
  readonly family?: Family;
  /** IP protocol numbers. */
  readonly protocols?: readonly number[];
  readonly source?: readonly Prefix[];
  readonly destination?: readonly Prefix[];
  readonly sourcePorts?: readonly PortRange[];
  readonly destinationPorts?: readonly PortRange[];
  /** Names; `eth+` is every name that begins with `eth`. */
  readonly inInterface?: readonly string[];
  readonly outInterface?: readonly string[];
  readonly mark?: MaskedMark;
  /** Bits of `STATE`. */
  readonly states?: number;
  /** Names of virtual services. */
  readonly services?: readonly string[];
  readonly connectionsAbove?: ConnectionsAbove;
  readonly limit?: Limit;
}

/** Levels of syslog that LOG may have. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** What becomes of a packet that matches. */
export type Target =
  /** Counted, nothing else: an iptables rule without -j. */
  | { readonly kind: "none" }
  | { readonly kind: "accept" | "drop" | "return" }
  | { readonly kind: "reject"; readonly with: RejectKind }
  /** The bits of the mask are replaced by the value; the walk goes on. */
  | { readonly kind: "mark"; readonly mark: MaskedMark }
  /** Told to the logger; the walk goes on. */
  | { readonly kind: "log"; readonly prefix: string; readonly level: LogLevel }
  | { readonly kind: "jump"; readonly chain: string };

export interface Rule {
  readonly match: Match;
  /** Conditions of which none may hold. With a `limit` here the rule is for what exceeds it. */
  readonly not?: Match;
  readonly target: Target;
  readonly comment?: string;
}

/** A list of rules: a base chain hangs on a hook and has a policy, any other is reached by jumps. */
export interface Chain {
  readonly name: string;
  readonly base?: {
    readonly hook: HookName;
    readonly priority: number;
    readonly policy: "accept" | "drop";
  };
  readonly rules: readonly Rule[];
}
