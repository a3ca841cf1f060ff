/**
 * Rule chains as plain data, for a worker: a message cannot carry objects with methods.
 *
 * @module
 */
import type { Chain, Match, Rule } from "../../hooks/rule.ts";
import { Prefix } from "../../net/prefix.ts";

/** A match whose prefixes are text. */
type PlainMatch = Omit<Match, "source" | "destination"> & {
  readonly source?: readonly string[];
  readonly destination?: readonly string[];
};
type PlainRule = Omit<Rule, "match" | "not"> & { readonly match: PlainMatch; readonly not?: PlainMatch };
type PlainChain = Omit<Chain, "rules"> & { readonly rules: readonly PlainRule[] };

/** Rules on their way to a worker. */
export interface PackedRules {
  readonly chains: readonly PlainChain[];
  /** Names of services, in the order of their numbers in the rules. */
  readonly services: readonly string[];
  /** Numbers of the services that the engine serves, by handle. */
  readonly numbers: readonly (readonly [handle: number, number: number])[];
  /** Shared memory in which the worker counts; absent: nobody reads its counters. */
  readonly counters?: SharedArrayBuffer;
}

export function packChains(chains: readonly Chain[]): PlainChain[] {
  const match = ({ source, destination, ...rest }: Match): PlainMatch => ({
    ...rest,
    ...(source === undefined ? {} : { source: source.map(String) }),
    ...(destination === undefined ? {} : { destination: destination.map(String) }),
  });
  return chains.map((chain) => ({
    ...chain,
    rules: chain.rules.map(({ not, ...rule }) => ({
      ...rule,
      match: match(rule.match),
      ...(not === undefined ? {} : { not: match(not) }),
    })),
  }));
}

export function unpackChains(chains: readonly PlainChain[]): Chain[] {
  const match = ({ source, destination, ...rest }: PlainMatch): Match => ({
    ...rest,
    ...(source === undefined ? {} : { source: source.map(Prefix.parse) }),
    ...(destination === undefined ? {} : { destination: destination.map(Prefix.parse) }),
  });
  return chains.map((chain) => ({
    ...chain,
    rules: chain.rules.map(({ not, ...rule }) => ({
      ...rule,
      match: match(rule.match),
      ...(not === undefined ? {} : { not: match(not) }),
    })),
  }));
}
