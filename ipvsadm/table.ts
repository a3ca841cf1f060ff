/**
 * What the tool's commands are made of: the table of virtual services, behind one small interface. A director implements
 * it alone, and the daemon with listeners around it.
 *
 * @module
 */
import type { ConnectionView } from "../director/views.ts";
import type { ServiceKey } from "../director/specs.ts";
import type {
  DestinationAddress,
  DestinationRule,
  ServiceRule,
  SyncRule,
  SyncState,
  TimeoutRule,
} from "./rules.ts";

/** Totals since the last zero, or rates per second. */
export interface Numbers {
  readonly connections: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

export const NO_NUMBERS: Numbers = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 };

/** One service as it stands in the table. */
export interface ServiceRow extends ServiceRule {
  readonly totals: Numbers;
  readonly rates: Numbers;
  /** In the kernel's order: newest first. */
  readonly destinations: readonly DestinationRow[];
  /** What only this program knows; shown by `--lvsd` and `--json`. */
  readonly note?: ServiceNote;
}

export interface DestinationRow extends DestinationRule {
  /** Weight in force; `weight` is the configured one. */
  readonly effectiveWeight: number;
  /** Out of the table for now, by health or an unresolved name: only the configuration knows it. */
  readonly absent: boolean;
  readonly activeConns: number;
  readonly inactiveConns: number;
  readonly persistentConns: number;
  readonly totals: Numbers;
  readonly rates: Numbers;
  /** A sorry server: in the table for others, and no rule of its own. */
  readonly standsIn?: boolean;
  readonly note?: DestinationNote;
}

export interface ServiceNote {
  readonly name: string;
  /** Who made it: the configuration file, or ipvsadm. */
  readonly owner: "file" | "ipvsadm";
  /** A file's service that ipvsadm has changed since the last reload. */
  readonly changed: boolean;
  /** `listening`, `unbound`, `closed`. */
  readonly state: string;
  /** Why not listening, `""` while it is. */
  readonly reason: string;
  readonly engine: string;
  /** What the engine does in place of the forwarding method, and why; `""` where the method is real. */
  readonly emulated: string;
}

export interface DestinationNote {
  readonly name: string;
  /** `up`, `down`, `unchecked`, `loop`, `unresolved`. */
  readonly state: string;
  /** The forwarding method is imitated over sockets. */
  readonly emulated: boolean;
}

/** A connection or template. */
export type ConnectionRow = Omit<ConnectionView, "entry" | "destinationHandle" | "flags" | "controls">;

/** A sync daemon that was started; nothing is left to a default. */
export interface SyncRow {
  readonly state: SyncState;
  readonly interfaceName: string;
  readonly syncId: number;
  readonly maxLength: number;
  readonly group: string;
  readonly port: number;
  readonly ttl: number;
}

/**
 * The table. A change resolves when it is in force, or rejects with a `DirectorError` that carries the kernel's code and
 * leaves everything as it was: `EEXIST`, `ESRCH` (no such service), `ENOENT` (no such scheduler, persistence engine or
 * destination), `ERANGE`, `EINVAL`, `ENODEV`, `ENOMEM`, `EPERM`.
 */
export interface Table {
  /** Slots of the connection table, for the version line. */
  readonly connectionSlots: number;
  addService(rule: ServiceRule): Promise<void>;
  editService(rule: ServiceRule): Promise<void>;
  deleteService(key: ServiceKey): Promise<void>;
  addDestination(key: ServiceKey, rule: DestinationRule): Promise<void>;
  editDestination(key: ServiceKey, rule: DestinationRule): Promise<void>;
  deleteDestination(key: ServiceKey, address: DestinationAddress): Promise<void>;
  /** Deletes every service. */
  clear(): Promise<void>;
  /** Of one service, or of all. */
  zero(key?: ServiceKey): Promise<void>;
  /** 0 leaves one as it is. */
  setTimeouts(rule: TimeoutRule): Promise<void>;
  startSync(rule: SyncRule): Promise<void>;
  stopSync(state: SyncState): Promise<void>;

  /** In the kernel's order: by hash, newest first in a chain, marks behind addresses. */
  services(): readonly ServiceRow[];
  timeouts(): TimeoutRule;
  /** Master before backup. */
  syncDaemons(): readonly SyncRow[];
  /** In no order that means anything. */
  connections(): Iterable<ConnectionRow>;
  /** Over all services, for `/proc/net/ip_vs_stats`. */
  totals(): { readonly totals: Numbers; readonly rates: Numbers };
}
