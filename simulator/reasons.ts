/**
 * Why a scheduler chooses what it chooses, in words and numbers; the deciding itself is the scheduler's.
 *
 * @module
 */

/** What a value is made of. */
export interface Load {
  readonly weight: number;
  readonly activeConns: number;
  readonly inactiveConns: number;
}

/** One scheduler's rule. */
export interface Reason {
  /** A sentence that says who wins. */
  readonly rule: string;
  /** The number that is compared, as it is worked out; undefined where there is none. */
  readonly value?: (load: Load) => string;
}

/** A server with 256 ended connections counts as one with one live connection (kernel 6.1, `ip_vs_dest_conn_overhead`). */
const overhead = ({ activeConns, inactiveConns }: Load) => activeConns * 256 + inactiveConns;
const perWeight = (value: number, weight: number) => `${value}/${weight} = ${round(value / weight)}`;
const round = (value: number) => Number(value.toFixed(2));

export const REASONS: Readonly<Record<string, Reason>> = {
  rr: {
    rule: "rr takes the next in the list after the one it chose last, weight 0 and overloaded ones left out",
  },
  wrr: {
    rule: "wrr walks the list lap by lap, from the highest weight down: who reaches the lap's level is next",
  },
  lc: {
    rule: "lc takes the least 256 x active + inactive, the first in the list of equals",
    value: (load) => `${overhead(load)}`,
  },
  wlc: {
    rule: "wlc takes the least (256 x active + inactive) / weight, the first in the list of equals",
    value: (load) => perWeight(overhead(load), load.weight),
  },
  sed: {
    rule: "sed takes the least (active + 1) / weight, the first in the list of equals",
    value: ({ activeConns, weight }) => perWeight(activeConns + 1, weight),
  },
  nq: {
    rule: "nq takes the first without an active connection, else the least (active + 1) / weight",
    value: ({ activeConns, weight }) => activeConns === 0 ? "idle" : perWeight(activeConns + 1, weight),
  },
  fo: { rule: "fo takes the highest weight that is not overloaded", value: ({ weight }) => `${weight}` },
  ovf: {
    rule: "ovf takes the highest weight whose active connections are not above its weight",
    value: ({ activeConns, weight }) => `${activeConns} of ${weight}`,
  },
  sh: { rule: "sh takes the server in the slot that the client's address hashes to" },
  dh: { rule: "dh takes the server in the slot that the virtual address hashes to" },
  mh: { rule: "mh takes the server in the Maglev slot that the client's address hashes to" },
  lblc: {
    rule: "lblc takes the server that has this virtual address, or the one wlc would take",
    value: (load) => perWeight(overhead(load), load.weight),
  },
  lblcr: {
    rule:
      "lblcr takes the least loaded server of the set that has this virtual address, or the one wlc would take",
    value: (load) => perWeight(overhead(load), load.weight),
  },
  twos: {
    rule: "twos draws two servers by weight and takes the less loaded; the next draw may differ",
    value: (load) => perWeight(overhead(load), load.weight),
  },
};
