/**
 * What the director answers, and the one entrance that traffic uses.
 *
 * @module
 */
import type { Direction, Flow } from "../net/flow.ts";

/** What is to be done with a segment. */
export const ACTION = {
  /** Not for a virtual service: the host's own business. */
  accept: 0,
  /** Goes to the verdict's destination (input) or back to the client (output). */
  forward: 1,
  /** Dropped in silence. */
  drop: 2,
  /** No destination: ICMP port unreachable; a socket engine resets. */
  reject: 3,
  /** No destination, and `cache_bypass`: goes on to its original address. Packet engines only. */
  bypass: 4,
} as const;
export type Action = typeof ACTION[keyof typeof ACTION];

/** Why a segment was not forwarded; a closed list, each with a counter. */
export const DROP_REASON = {
  none: 0,
  noService: 1,
  /** The scheduler refused: no server, all weights 0, all overloaded, or a hash that hit such a one. */
  noDestination: 2,
  /** The entry's destination was deleted (`expire_nodest_conn` 0). */
  destinationRemoved: 3,
  /** Not a segment that may open a connection (TCP without SYN). */
  notNew: 4,
  /** The connection table is full of live entries. */
  tableFull: 5,
  /** `drop_packet` under memory pressure. */
  memoryPressure: 6,
  /** A persistence engine could not read the packet. */
  persistenceEngine: 7,
  /** A rule on PREROUTING or INPUT said DROP, before the director was asked. */
  ruleDrop: 8,
  /** A rule said REJECT. */
  ruleReject: 9,
} as const;
export type DropReason = typeof DROP_REASON[keyof typeof DROP_REASON];

/** The director's answer. One object, reused by every call of one director: read it before asking again. */
export class Verdict {
  action: Action = ACTION.accept;
  reason: DropReason = DROP_REASON.none;
  /** Handle of the virtual service, or -1. */
  service = -1;
  /** Handle of the destination, or -1. */
  destination = -1;
  /** Handle of the connection entry, or -1 (one-packet connections have none). */
  entry = -1;
  /** Port at the destination for this connection: the destination's own, or the packet's when that is 0. */
  destinationPort = 0;
  /** This segment made the entry. */
  isNew = false;
}

/** For engines that move streams, and hear of their packets later than of their bytes. */
export interface StreamPackets {
  /** Counts packets of the flow's entry; its state and its timer stay. Nothing is counted for an entry that is gone. */
  countPackets(flow: Flow, input: number, output: number): void;
}

/** The entrance for traffic; `Director` implements it. Engines ask for nothing else while bytes move. */
export interface TrafficEntrance {
  /**
   * Decides one segment: finds or makes its connection entry, moves its state, counts it.
   *
   * Packet engines pass real TCP flags. Socket engines pass synthetic ones: accept is SYN (input), the finished connect
   * SYN+ACK (output) and ACK (input), end of stream FIN, an error RST, and payload ACK with its `bytes`.
   *
   * @param bytes what byte counters grow by: the IP length for a packet, the payload for a socket engine
   */
  segment(flow: Flow, direction: Direction, flags: number, bytes: number, nowMs: number): Verdict;

  /**
   * A connect to the entry's destination failed: decides anew with `failed` (handles) masked as if overloaded, and binds the
   * entry to the outcome. An action other than `forward` leaves the entry with its first destination.
   */
  reschedule(flow: Flow, failed: readonly number[], nowMs: number): Verdict;

  /** Takes the flow's entry out of the table now (an evicted UDP session). */
  forget(flow: Flow, nowMs: number): void;

  /** Address of a destination as text, and as a family, for a socket engine to dial; cached by the store. */
  destinationAddress(destination: number): { readonly host: string; readonly family: 4 | 6 };
}
