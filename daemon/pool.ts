/**
 * Who takes part: from what is configured and what is known about each real server to what the director shall hold.
 * Pure, so that every combination can be tested.
 *
 * @module
 */

/** What is known about one configured destination. */
export interface Candidate {
  /** Configured weight; 0 is quiesced by its owner. */
  readonly weight: number;
  /** The health monitor's word; true where nothing is checked. */
  readonly up: boolean;
  /** False while its host name has no address. */
  readonly resolved: boolean;
  /** It is one of our own listeners: traffic sent there would come back for ever. */
  readonly loop: boolean;
  /** Its name has the address of another destination of the service; the director knows an address once. */
  readonly duplicate: boolean;
}

/** The service's rules for bad times. */
export interface PoolPolicy {
  readonly onDown: "quiesce" | "remove";
  readonly whenAllDown: "refuse" | "use-all";
  readonly hasSorryServer: boolean;
}

/** What the director shall hold for one candidate: nothing, or a destination with this weight in force. */
export interface Membership {
  readonly present: boolean;
  readonly effectiveWeight: number;
}

/** The whole service. */
export interface PoolDecision {
  readonly memberships: readonly Membership[];
  readonly sorryServerActive: boolean;
  /** Candidates that may get new connections by their own merit. */
  readonly liveCount: number;
}

/**
 * Decides who takes part.
 *
 * A candidate is live when it is up, resolved, no loop, no duplicate and has weight. With none live, the sorry server takes over; without
 * one, `use-all` disbelieves the health monitor and uses everyone who could be reached, and `refuse` leaves the service empty.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const up = { weight: 1, up: true, resolved: true, loop: false, duplicate: false };
 * const policy = { onDown: "quiesce", whenAllDown: "refuse", hasSorryServer: true } as const;
 * assert.equal(decidePool([up, { ...up, up: false }], policy).memberships[1]?.effectiveWeight, 0);
 * assert.equal(decidePool([{ ...up, up: false }], policy).sorryServerActive, true);
 * ```
 */
export function decidePool(candidates: readonly Candidate[], policy: PoolPolicy): PoolDecision {
  const usable = (it: Candidate) => it.resolved && !it.loop && !it.duplicate;
  const liveCount = candidates.filter((it) => usable(it) && it.up && it.weight > 0).length;
  const disbelieve = liveCount === 0 && !policy.hasSorryServer && policy.whenAllDown === "use-all";
  const memberships = candidates.map((it): Membership => {
    if (!it.resolved || it.duplicate) return { present: false, effectiveWeight: 0 };
    if (it.loop) return { present: true, effectiveWeight: 0 };
    if (it.up || disbelieve) return { present: true, effectiveWeight: it.weight };
    return { present: policy.onDown === "quiesce", effectiveWeight: 0 };
  });
  return { memberships, liveCount, sorryServerActive: liveCount === 0 && policy.hasSorryServer };
}
