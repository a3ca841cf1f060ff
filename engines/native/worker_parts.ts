/**
 * What the parts of a worker work with.
 *
 * @module
 */
import type { StreamPackets, TrafficEntrance } from "../../director/verdict.ts";
import type { Sockets } from "../../sys/sockets.ts";
import type { EndReason } from "../engine.ts";
import type { ConnectionTimers } from "./connection_timers.ts";
import type { EngineMemory } from "./engine_memory.ts";
import type { EntryOwners } from "./entry_owners.ts";
import type { EventWriter } from "./event_ring.ts";
import type { Pipes } from "./pipes.ts";
import type { Questions } from "./questions.ts";
import type { Reactor } from "./reactor.ts";
import type { SideBuffers } from "./side_buffers.ts";
import type { Targets } from "./targets.ts";
import type { WorkerClock } from "./worker_clock.ts";

/** Does not accept for a while. */
export interface Paused {
  /** @returns whether it accepts again */
  resume(): boolean;
}

/** Has moved bytes that the director does not know of. */
export interface Uncounted {
  tellCount(): void;
}

/** Has moved packets that the director does not know of. */
export interface Moving {
  tellPackets(): void;
}

/** The service that a connection belongs to. */
export interface ConnectionService<Connection> {
  readonly slot: number;
  ended(connection: Connection, reason: EndReason, wasHeld: boolean): void;
  /** Something on this host was missing. */
  shortage(message: string): void;
}

/** One of each in a worker. */
export interface WorkerParts {
  /** Number of this worker in the store. */
  readonly worker: number;
  readonly traffic: TrafficEntrance & StreamPackets;
  readonly clock: WorkerClock;
  readonly sockets: Sockets;
  readonly reactor: Reactor;
  readonly memory: EngineMemory;
  readonly events: EventWriter;
  readonly timers: ConnectionTimers;
  readonly targets: Targets;
  readonly buffers: SideBuffers;
  readonly pipes: Pipes;
  readonly entries: EntryOwners;
  readonly questions: Questions;
  /** The connection with this number is over; its record may serve again after this turn. */
  leave(connection: number): void;
  /** Their `tellPackets` is called within seconds. */
  readonly moving: Moving[];
  /** Their `tellCount` is called within milliseconds. */
  readonly uncounted: Uncounted[];
  /** Calls `resume` once accept may be tried again. */
  pause(service: Paused): void;
  /** Something for the log, at most one a second of each service. */
  trouble(service: number, message: string): void;
  /** Rings all workers: a connection that one of them holds may start. */
  ringAll(): void;
}
