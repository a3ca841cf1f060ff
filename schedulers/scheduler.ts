/**
 * The interface behind which all schedulers stand.
 *
 * @module
 */
import type { Flow } from "../net/flow.ts";
import type { Random } from "../net/random.ts";

/** Stands for "no destination": the end of a list, or a refusal to pick. */
export const NO_DESTINATION = -1;

/**
 * The destinations of one virtual service as a scheduler sees them, in the kernel's list order (the one added last
 * comes first). A destination is named by a number that stays the same while it exists, and is no other's afterwards.
 * Reading allocates nothing.
 */
export interface DestinationList {
  /** First destination, or `NO_DESTINATION`. */
  readonly first: number;
  /** How many there are. */
  readonly size: number;
  /** The destination after `destination`, or `NO_DESTINATION`. */
  next(destination: number): number;
  /** The destination before `destination`, or `NO_DESTINATION`. */
  previous(destination: number): number;
  /** Word 0 to 3 of its address (see `IpAddress`). */
  addressWord(destination: number, index: number): number;
  port(destination: number): number;
  /** Weight in force, 0 to 2^31-1; 0 is quiesced. */
  weight(destination: number): number;
  /** Last weight that was not 0 (on the first add: the weight, even 0). */
  lastWeight(destination: number): number;
  activeConns(destination: number): number;
  inactiveConns(destination: number): number;
  /** Over its upper threshold, or masked for this one decision. */
  overloaded(destination: number): boolean;
  /** False once it was deleted; a cache may still name it. */
  available(destination: number): boolean;
}

/** Switches of a service that some schedulers read (`-b` of ipvsadm). */
export const SCHEDULER_FLAG = { flag1: 0x08, flag2: 0x10, flag3: 0x20 } as const;

/** What is asked of a scheduler besides the list: reused between calls, so it must not be kept. */
export interface Question {
  readonly flow: Flow;
  /** `SCHEDULER_FLAG` bits. */
  readonly flags: number;
  /** True when the flow was taken from the packet quoted in an ICMP error, so its sides are swapped. */
  readonly inverse: boolean;
  /** The switches `lblc_expiration` and `lblcr_expiration` in milliseconds; a day when absent. */
  readonly lblcExpirationMs?: number;
  readonly lblcrExpirationMs?: number;
}

/**
 * One scheduling algorithm. An object owns no fields: what it remembers between decisions (a cursor, a hash table)
 * lives in `cells`, an array in the store that belongs to one service and that every worker sees.
 */
export interface Scheduler {
  /** Name as ipvsadm spells it. */
  readonly name: string;
  /** How many 32-bit cells one service needs. */
  readonly cellCount: number;
  /** Service created, or switched to this scheduler: builds the cells anew. */
  start(list: DestinationList, cells: Int32Array): void;
  /** `destination` was just put at the head of the list. */
  added(list: DestinationList, cells: Int32Array, destination: number): void;
  /** `destination` is about to leave the list; it and its neighbours can still be read. */
  removing(list: DestinationList, cells: Int32Array, destination: number): void;
  /** `destination` has just left the list. */
  removed(list: DestinationList, cells: Int32Array, destination: number): void;
  /** Weight, thresholds or order changed. */
  edited(list: DestinationList, cells: Int32Array): void;
  /** Chooses for a new connection, or refuses with `NO_DESTINATION`. Nothing is allocated and nothing counted. */
  pick(question: Question, list: DestinationList, cells: Int32Array, nowMs: number, random: Random): number;
  /** Whether a deleted destination is still named in the cells; it is then kept for its return. Absent: never. */
  remembers?(cells: Int32Array, destination: number): boolean;
}
