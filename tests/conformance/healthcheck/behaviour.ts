/**
 * What a server under test may do, and what the suite wants to see of each check type.
 *
 * @module
 */
import type { Check, CheckFailure, Dialer } from "../../../healthcheck/check.ts";
import type { Family } from "../../../net/address.ts";
import type { Endpoint } from "../../../net/endpoint.ts";

export const BEHAVIOURS = [
  "answers right",
  "answers wrong",
  "refuses",
  "says nothing",
  "resets",
  "closes at once",
  "closes when asked",
  "sends garbage",
  "never stops",
] as const;
export type Behaviour = typeof BEHAVIOURS[number];

/** A running server with one behaviour. */
export interface ServerUnderTest extends AsyncDisposable {
  readonly endpoint: Endpoint;
  /** Connections or processes that are open at this moment; 0 for what has none. */
  readonly open: () => number;
}

/** `up`, or the reasons of failure that are right. */
export type Verdict = "up" | readonly CheckFailure[];

/** One behaviour as a check type meets it. */
export interface Case {
  readonly serve: (family: Family) => Promise<ServerUnderTest>;
  readonly verdict: Verdict;
  /** The check, where one behaviour needs another than the member's. */
  readonly check?: Check;
}

/** One check type, with a reason for every behaviour that it cannot meet. */
export interface Member {
  readonly name: string;
  readonly check: Check;
  readonly cases: Readonly<Record<Behaviour, Case | { readonly cannot: string }>>;
  /** Stands before the system dialer. */
  readonly through?: (dialer: Dialer) => Dialer;
}

export const LOOPBACK: Readonly<Record<Family, string>> = { 4: "127.0.0.1", 6: "::1" };
