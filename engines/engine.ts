/**
 * The interface behind which all engines stand. An engine moves bytes; what it moves where, the director decides.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";
import type { Prefix } from "../net/prefix.ts";
import type { TcpOptions } from "../net/tcp_options.ts";

/** What the engine is told about one virtual service. Durations in milliseconds. */
export interface Binding {
  /** The director's handle of the service. */
  readonly service: number;
  /** Name for log and status. */
  readonly name: string;
  readonly protocol: "tcp" | "udp";
  /** Address and port to listen on. `[::]` listens on IPv6 and IPv4. */
  readonly listen: Endpoint;
  readonly options: BindingOptions;
}

/** Behaviour of a bound service; may change at a reload while connections live. */
export interface BindingOptions {
  /** Wait for the real server to answer a connect. */
  readonly connectTimeoutMs: number;
  /** Quiet time after which a connection is reset; undefined leaves it to the director's own time-outs. */
  readonly idleTimeoutMs?: number;
  /** How many other destinations are asked for after a failed connect; 0 is the kernel's way. */
  readonly retries: number;
  /** PROXY header written to the real server. */
  readonly sendProxy: "none" | "v1" | "v2";
  /** Connects to the real server from the client's own address; for an engine that can. */
  readonly isTransparent?: boolean;
  /** Clients whose PROXY header is believed, and from whom one is required. */
  readonly acceptProxyFrom: readonly Prefix[];
  /** Connections at once. */
  readonly maxConnections?: number;
  /** What more get: a place in the queue, which is the default, or a reset. */
  readonly whenFull?: "queue" | "refuse";
  /** Longest wait in the queue; absent: no end. */
  readonly queueTimeoutMs?: number;
  /** Options of both sockets of a connection. An engine that sets none of them says so in {@linkcode OpenBinding.notInForce}. */
  readonly tcp?: TcpOptions;
  /** Which engine moves the bytes; `auto` or absent: the best there is. Takes effect when the binding is opened. */
  readonly engine?: "auto" | "native" | "portable" | "packet" | "hand-over" | "tunnel";
  /** Forwarding method; absent: NAT. */
  readonly mode?: "nat" | "dr" | "tun";
  /** Path of the receiver's Unix socket for each destination (`10.0.0.2:80`) that accepted sockets are handed to. */
  readonly handOver?: ReadonlyMap<string, string>;
  /** Where a tunnel socket leads for each destination (`10.0.0.2:80`): port of the peer, file of the key. */
  readonly tunnels?: ReadonlyMap<string, { readonly port: number; readonly keyFile: string }>;
  /** UDP: every datagram is scheduled by itself. */
  readonly onePacket: boolean;
  /** UDP: sessions at once, the least recently used one gives way. */
  readonly maxSessions: number;
}

/** Why a connection ended; a closed list for log and metrics. */
export const END_REASONS = [
  "done", // both sides finished
  "client-reset",
  "server-reset",
  "idle-timeout",
  "no-destination", // the director refused
  "rule-drop", // a rule said DROP
  "rule-reject", // a rule said REJECT
  "connect-refused",
  "connect-timeout",
  "connect-failed", // unreachable, no route, name gone
  "tunnel-refused", // the peer of a tunnel socket is broken, foreign, or has another key
  "proxy-header", // promised and missing, or broken
  "loop", // the destination is one of our own listeners
  "drained", // cut at the end of a drain
  "destination-removed",
  "evicted", // a UDP session gave way to a newer one
  "service-removed",
  "source-foreign", // a datagram from somebody who is not the destination
  "table-full",
  "memory-pressure", // drop_packet: one in so many new connections while memory is short
  "not-new", // no segment that may open a connection
  "persistence-engine", // a persistence engine could not read the packet
  "max-connections", // maxConnections was reached, and whenFull refuses
  "queue-timeout", // it waited for maxConnections for too long
  "no-room", // more than maxConnections and its queue hold, or than there are file descriptors
  "worker-died", // with the thread that moved its bytes
  "error",
] as const;
export type EndReason = typeof END_REASONS[number];

/** One ended connection or UDP session, handed to the log. Reused: copy what is kept. */
export interface EndedConnection {
  readonly service: number;
  readonly client: string;
  /** Text of the destination, or "" when none was chosen. */
  readonly destination: string;
  readonly reason: EndReason;
  readonly durationMs: number;
  /** Payload bytes from and to the client. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What an engine tells the rest of the house; every call returns at once. */
export interface EngineEvents {
  ended(connection: EndedConnection): void;
  /** A connect to a destination failed (passive health). */
  connectFailed(destination: number, reason: EndReason): void;
  /** One succeeded: whatever failed there before is no row any more. An engine may say it once for several. */
  connectSucceeded(destination: number): void;
  /** Something was dropped without a connection: one count under a reason. */
  dropped(service: number, reason: EndReason): void;
  /** A listener stopped working by itself, or accept had to back off. */
  trouble(service: number, message: string): void;
}

/** A setting that was asked for and does nothing. */
export interface NotInForce {
  /** As the configuration writes it: `tcp.fastOpen`. */
  readonly setting: string;
  /** Why, and what would change that. */
  readonly reason: string;
}

/** A virtual service that is listening. */
export interface OpenBinding {
  readonly binding: Binding;
  /** The address really bound: differs from the wish when port 0 was asked for. */
  readonly bound: Endpoint;
  /** Options of the binding that do nothing here; absent: none. */
  readonly notInForce?: readonly NotInForce[];
  /** Takes effect for new connections. */
  update(options: BindingOptions): void;
  /** Stops listening; connections go on. */
  close(): Promise<void>;
}

/** Moves the bytes of bound services. */
export interface Engine {
  readonly name: "portable" | "native" | "packet" | "hand-over";
  /** @throws {SystemError} `ADDRESS_IN_USE`, `ADDRESS_NOT_LOCAL`, `PERMISSION_DENIED`, ... */
  open(binding: Binding): Promise<OpenBinding>;
  /** Live client connections and UDP sessions, of one service or of all. */
  liveConnections(service?: number): number;
  /** The destination left for good: UDP sessions to it end now, TCP connections only when `cut`. */
  destinationRemoved(destination: number, cut: boolean): void;
  /** The director's entry came to its end (`Flow.entry`): a connection that still lives ends with `idle-timeout`. */
  entryExpired(entry: number): void;
  /** Resets every live connection of a service (or of all) spread over `spreadMs`; resolves when all are gone. */
  resetAll(spreadMs: number, reason: EndReason, service?: number): Promise<void>;
  /** Calls `done` as soon as nothing is live (at once if so). */
  whenIdle(): Promise<void>;
  /** Closes everything now. */
  stop(): Promise<void>;
}
