/**
 * What the packet engine and its worker say to each other. Plain data.
 *
 * @module
 */
import type { MessagePort } from "node:worker_threads";
import type { LoggedPacket } from "../../hooks/logged_packet.ts";
import type { PacketDrop } from "./drops.ts";
import type { Probe } from "./probes.ts";
import type { PackedRules } from "./rule_transfer.ts";
import type { KnownNeighbour } from "./packet_path.ts";
import type { SystemInterface, Wiring } from "./wiring.ts";

/** What the worker starts with. */
export interface WorkerStart {
  /** Of the shared store. */
  readonly store: ArrayBufferLike;
  readonly workerIndex: number;
  readonly connectionEntries: number;
  /** Clock of the main thread: its time origin. */
  readonly timeOriginMs: number;
  readonly seed: number;
  readonly wiring: Wiring;
  readonly ringBytes: number;
  readonly queueBytes: number;
  /** Whether its thread goes before ordinary ones, where that is allowed. */
  readonly isRealtime: boolean;
  readonly port: MessagePort;
}

/** To the worker. */
export type Order =
  | { readonly kind: "wire"; readonly id: number; readonly wiring: Wiring }
  | { readonly kind: "rules"; readonly id: number; readonly rules: PackedRules }
  | { readonly kind: "probe"; readonly id: number; readonly probe: Probe }
  /** The check behind a port has ended. */
  | { readonly kind: "unprobe"; readonly id: number; readonly port: number }
  /** Interfaces may have another MTU by now. */
  | { readonly kind: "mtus"; readonly id: number }
  | { readonly kind: "count"; readonly id: number }
  | { readonly kind: "look"; readonly id: number }
  | { readonly kind: "zero"; readonly id: number }
  | { readonly kind: "stop"; readonly id: number }
  /** For tests: the worker dies of an error. */
  | { readonly kind: "fail"; readonly id: number };

/** Counters of a worker. */
export interface WorkerCounts {
  readonly frames: number;
  readonly sendFailures: number;
  /** Large frames that came faster than they were read. */
  readonly queueOverflows: number;
  readonly connections: number;
  readonly drops: Readonly<Record<PacketDrop, number>>;
}

/** What a worker knows of its surroundings. */
export interface WorkerSight {
  readonly interfaces: Readonly<Record<string, SystemInterface>>;
  readonly neighbours: readonly KnownNeighbour[];
}

/** From the worker. */
export type Report =
  /** `connections`: the worker's `connectionMemory`. */
  | { readonly kind: "ready"; readonly connections: ArrayBufferLike }
  /** Something came back for a check; see `ServerProbes`. */
  | { readonly kind: "probed"; readonly port: number; readonly segment: Uint8Array }
  | { readonly kind: "log"; readonly packet: LoggedPacket }
  | { readonly kind: "failed"; readonly code: string; readonly message: string }
  | {
    readonly kind: "done";
    readonly id: number;
    readonly counts?: WorkerCounts;
    readonly sight?: WorkerSight;
  };
