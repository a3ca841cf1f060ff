/**
 * What the engine that hands sockets over gives its services and connections.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { TrafficEntrance } from "../../director/verdict.ts";
import type { Sockets } from "../../sys/sockets.ts";
import type { UnixSockets } from "../../sys/unix_sockets.ts";
import type { EngineEvents } from "../engine.ts";

/** What happened on a descriptor: bits of `EPOLL`. */
export type Happening = (events: number) => void;

/** What the engine gives its bindings. */
export interface HandOverHost {
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly sockets: Sockets;
  readonly unixSockets: UnixSockets;
  /** Connections by their entry in the director. */
  readonly entries: Map<number, { entryExpired(): void }>;
  /** Something for the log, at most one a second of each service. */
  trouble(service: number, message: string): void;
  watch(descriptor: number, interest: number, happened: Happening): void;
  unwatch(descriptor: number): void;
}
