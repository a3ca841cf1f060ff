/**
 * What a TCP connection needs of its binding.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import type { TrafficEntrance } from "../../director/verdict.ts";
import type { EngineEvents } from "../engine.ts";
import type { Deadlines, Due } from "./deadlines.ts";
import type { TcpSockets } from "./tcp_socket.ts";

/** A wait that is bounded: for a PROXY header, for a server's answer. */
export interface Wait extends Due {
  deadlineMissed(): void;
}

/** What a binding gives its connections and their dials. */
export interface TcpHost {
  readonly service: number;
  readonly traffic: TrafficEntrance;
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly waits: Deadlines<Wait>;
  /** Where server sockets come from. */
  readonly sockets: TcpSockets;
  /** Whether traffic to this address would come back to this program. */
  isOwnListener(host: string, port: number): boolean;
  /** One more socket, one less: stopping waits for all. */
  socketOpened(): void;
  socketClosed(): void;
  /** Something that people should know; told at most once in a while. */
  trouble(message: string): void;
  /** This host lacks something (`EMFILE` and the like). */
  shortage(code: string, message: string): void;
}
