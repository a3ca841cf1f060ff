/**
 * Rules as numbers in typed arrays: what the walk reads.
 *
 * @module
 */

/** Words of one rule. */
export const RULE = { firstCondition: 0, endCondition: 1, target: 2, a: 3, b: 4 } as const;
export const RULE_WORDS = 5;

/** Words of one condition: its kind, then what it is compared with. */
export const CONDITION = { kind: 0, a: 1, b: 2, c: 3 } as const;
export const CONDITION_WORDS = 4;
/** Added to a kind: the condition must not hold. */
export const NEGATED = 64;

/**
 * Kinds of conditions, in the order they are tried: cheap ones first, those that remember something last, so that only a
 * packet that fits in everything else takes a token.
 */
export const KIND = {
  family: 0,
  protocol: 1,
  service: 2,
  destinationPort: 3,
  sourcePort: 4,
  mark: 5,
  state: 6,
  inInterface: 7,
  outInterface: 8,
  source: 9,
  destination: 10,
  connections: 11,
  limit: 12,
} as const;

/** Words of one address prefix: the family, the masked address, the mask. */
export const PREFIX_WORDS = 9;

/** Words of one chain. */
export const CHAIN = { firstRule: 0, endRule: 1, policy: 2 } as const;
export const CHAIN_WORDS = 3;

/** What a rule does. */
export const TARGET = {
  none: 0,
  accept: 1,
  drop: 2,
  /** `a`: index in `REJECT_KINDS`. */
  reject: 3,
  return: 4,
  /** `a`: value, `b`: mask. */
  mark: 5,
  log: 6,
  /** `a`: number of the chain. */
  jump: 7,
} as const;

/** Everything that is fixed once rules are compiled. */
export interface Compiled {
  readonly rules: Int32Array;
  readonly conditions: Int32Array;
  /** Pairs of first and last: ports, interface indexes, service numbers, protocols. */
  readonly ranges: Int32Array;
  readonly prefixes: Int32Array;
  readonly chains: Int32Array;
}
