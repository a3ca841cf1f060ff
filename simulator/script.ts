/**
 * Traffic scripts: what happened to a director, or what shall happen to it, one step after the other.
 *
 * @module
 */
import type { DestinationSpec, PersistenceSpec, ServiceKey } from "../director/specs.ts";
import type { Timeouts } from "../director/timeouts.ts";
import type { Direction } from "../net/flow.ts";
import type { Endpoint } from "../net/endpoint.ts";

/** A virtual service: by its name in the config, or by its key. */
export type ServiceReference = { readonly name: string } | { readonly key: ServiceKey };

/** Who talks to whom; or a connection that was opened under this label. */
export type FlowReference = { readonly label: string } | FlowDescription;

export interface FlowDescription {
  /** `PROTOCOL` number; undefined takes that of the service that `to` names. */
  readonly protocol?: number;
  readonly client: Endpoint;
  /** A service stands for its own address. */
  readonly to: Endpoint | ServiceReference;
  /** The service whose listener took it, where `to` alone does not tell (listeners on every address). */
  readonly through?: ServiceReference;
  readonly mark?: number;
}

/** What a service is besides its key. */
export interface ServiceSettings {
  readonly scheduler: string;
  /** `SCHEDULER_FLAG` bits. */
  readonly flags: number;
  readonly persistence?: PersistenceSpec;
  /** `sip` */
  readonly persistenceEngine?: string;
  readonly onePacket: boolean;
}

/** One step. */
export type Step =
  | { readonly verb: "wait"; readonly ms: number }
  | { readonly verb: "service"; readonly key: ServiceKey; readonly settings: ServiceSettings }
  | { readonly verb: "change"; readonly service: ServiceReference; readonly settings: ServiceSettings }
  | { readonly verb: "remove"; readonly service: ServiceReference }
  | {
    readonly verb: "add" | "edit";
    readonly service: ServiceReference;
    readonly destination: DestinationSpec;
  }
  | {
    readonly verb: "weight";
    readonly service: ServiceReference;
    readonly destination: Endpoint;
    readonly weight: number;
  }
  | { readonly verb: "delete"; readonly service: ServiceReference; readonly destination: Endpoint }
  | { readonly verb: "order"; readonly service: ServiceReference; readonly destinations: readonly Endpoint[] }
  | { readonly verb: "timeouts"; readonly timeouts: Partial<Timeouts> }
  | { readonly verb: "sysctl"; readonly name: string; readonly value: number }
  /** A new connection as a socket engine sees it: accepted and connected, or one datagram. */
  | { readonly verb: "open"; readonly flow: FlowDescription; readonly label?: string }
  /** Both sides finish, the client first. */
  | { readonly verb: "close"; readonly flow: FlowReference }
  | { readonly verb: "reset"; readonly flow: FlowReference; readonly by: Direction }
  /** Payload and its answer; for UDP one datagram each way. */
  | { readonly verb: "data"; readonly flow: FlowReference; readonly bytes: number }
  /** One segment with these TCP flags. */
  | {
    readonly verb: "segment";
    readonly flow: FlowReference;
    readonly direction: Direction;
    readonly flags: number;
    readonly bytes: number;
    readonly packets: number;
  }
  /** A connect failed: another destination is asked for. */
  | { readonly verb: "retry"; readonly flow: FlowReference; readonly failed: readonly Endpoint[] }
  | { readonly verb: "forget"; readonly flow: FlowReference }
  /** The director's timers fire; in a recording they do nowhere else. */
  | { readonly verb: "advance" };

/** What a decision is expected to be: a destination, or a refusal (`refused`, or the reason such as `no-destination`). */
export type Expectation = { readonly destination: Endpoint } | { readonly refusal: string };

/** A step with its place in the file. */
export interface ScriptLine {
  /** From 1. */
  readonly line: number;
  /** Milliseconds since the start of the script; undefined: when the step before it was done. */
  readonly atMs?: number;
  readonly step: Step;
  readonly expected?: Expectation;
}

/** A whole script. */
export interface Script {
  readonly file: string;
  /** Timers fire at `advance` steps only, as they did when it was recorded. */
  readonly recordedClock: boolean;
  /** Seed of the director's random numbers. */
  readonly seed: number;
  readonly lines: readonly ScriptLine[];
}
