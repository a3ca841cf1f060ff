/**
 * What the main thread and the workers of a native engine say to each other.
 *
 * @module
 */
import type { MessagePort } from "node:worker_threads";
import type { Binding, BindingOptions, EndReason } from "../engine.ts";
import type { EngineBuffers } from "./engine_memory.ts";
import type { SocketOption } from "./socket_options.ts";

/** Everything that a worker gets at its start. */
export interface WorkerStart {
  /** Its number in the store, from 1. */
  readonly worker: number;
  /** Descriptor of the eventfd that rings it. */
  readonly bell: number;
  /** Its mailbox. */
  readonly port: MessagePort;
  readonly memory: EngineBuffers;
  readonly store: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  /** Its `FlightRing`, when what it decides is to be remembered. */
  readonly flight?: ArrayBufferLike | undefined;
  readonly seed: number;
  /** What CLOCK_MONOTONIC showed when the engine's clock stood at 0, milliseconds; undefined: main tells the time. */
  readonly clockZeroMs: number | undefined;
  readonly connectionEntries: number;
}

/** Options as they cross threads: prefixes as text, socket options as numbers. */
export type SentOptions = Omit<BindingOptions, "acceptProxyFrom" | "tcp"> & {
  readonly acceptProxyFrom: readonly string[];
  readonly serverSocket: readonly SocketOption[];
};

/** Options as a worker has them. */
export type WorkerOptions = Omit<BindingOptions, "tcp"> & {
  /** What a socket to a real server is given. */
  readonly serverSocket: readonly SocketOption[];
};

/** A socket for a worker to accept or receive from. */
export interface OpenCommand {
  readonly kind: "open";
  readonly slot: number;
  readonly service: number;
  readonly protocol: Binding["protocol"];
  /** By worker, from 1; a single one is shared by all. */
  readonly descriptors: readonly number[];
  /** Address bound, as text; the wildcard asks for each connection's own. */
  readonly address: string;
  readonly port: number;
  readonly options: SentOptions;
}

/** To a worker. A `request` is answered by `done` with the same number. */
export type Command =
  | OpenCommand
  | { readonly kind: "update"; readonly slot: number; readonly options: SentOptions }
  | { readonly kind: "close"; readonly slot: number; readonly request: number }
  /** UDP: nothing is live, the socket is about to be closed. */
  | { readonly kind: "release"; readonly slot: number; readonly request: number }
  | { readonly kind: "destination-removed"; readonly destination: number; readonly cut: boolean }
  | {
    readonly kind: "reset";
    /** Connections of these bindings. */
    readonly slots: readonly number[];
    readonly spreadMs: number;
    readonly reason: EndReason;
    readonly request: number;
  }
  /** Answers a question: would a connect to the destination come back to this program? */
  | {
    readonly kind: "loop";
    readonly protocol: Binding["protocol"];
    readonly destination: number;
    readonly port: number;
    readonly isLoop: boolean;
  }
  /** Listeners came or went: what was answered about loops may be wrong by now. */
  | { readonly kind: "listeners-changed" }
  | { readonly kind: "advance"; readonly timesMs: readonly number[]; readonly request: number }
  | {
    readonly kind: "judged";
    readonly connection: number;
    /** Time of its accept: the record may serve another connection by now. */
    readonly startMs: number;
    /** Why it is refused, `""` when it is not. */
    readonly refusal: EndReason | "";
    readonly mark: number;
    /** To be named when it is over; 0 when nobody wants to hear of that. */
    readonly admission: number;
  }
  /** Asks for all connections: the rules count from now on. */
  | { readonly kind: "introduce" }
  | {
    readonly kind: "introduced";
    readonly connection: number;
    readonly startMs: number;
    readonly admission: number;
  }
  | { readonly kind: "pass"; readonly request: number }
  /** For tests: the worker dies of an error. */
  | { readonly kind: "fail" };

/** From a worker. */
export type Report =
  | { readonly kind: "ready"; readonly connections: ArrayBufferLike }
  /** Its last word: it ended by an error. */
  | { readonly kind: "died"; readonly why: string }
  | { readonly kind: "done"; readonly request: number }
  /** Events wait in the ring. */
  | { readonly kind: "events" }
  /** Nothing is live here. */
  | { readonly kind: "idle" }
  /** Asks whether the rules, which live in the main thread, let a connection in. */
  | {
    readonly kind: "judge";
    /** Its number in the worker, below 0 for UDP. */
    readonly connection: number;
    readonly startMs: number;
    readonly protocol: number;
    /** Payload of the datagram that opens it. */
    readonly bytes: number;
    readonly service: number;
    readonly family: 4 | 6;
    readonly client: Uint32Array;
    readonly clientPort: number;
    readonly virtual: Uint32Array;
    readonly virtualPort: number;
  }
  /** A connection that is there while the rules begin to count. */
  | {
    readonly kind: "introduce";
    readonly connection: number;
    readonly startMs: number;
    readonly family: 4 | 6;
    readonly client: Uint32Array;
    /** By which they know it: then nothing has to be answered. 0 when they do not. */
    readonly admission: number;
  }
  /** A connection that was let in is over. */
  | { readonly kind: "left"; readonly admission: number }
  | { readonly kind: "trouble"; readonly service: number; readonly message: string }
  | {
    readonly kind: "ask-loop";
    readonly protocol: Binding["protocol"];
    readonly destination: number;
    readonly host: string;
    readonly port: number;
  }
  /** A UDP service that takes no new clients has no session here any more. */
  | { readonly kind: "emptied"; readonly slot: number };
