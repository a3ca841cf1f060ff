/**
 * What the tool says about services, destinations and the sync daemon.
 *
 * @module
 */
import type { MethodName, ServiceKey } from "../director/specs.ts";
import type { Tunnel } from "../modes/tunnel.ts";
import type { IpAddress } from "../net/address.ts";

/** A virtual service as a command describes it. Edits replace it as a whole. */
export interface ServiceRule {
  readonly key: ServiceKey;
  readonly scheduler: string;
  /** `SCHEDULER_FLAG` bits. */
  readonly flags: number;
  /** Seconds; undefined: not persistent. */
  readonly persistentSeconds?: number;
  /** IPv4: the netmask as a number, any. IPv6: a prefix length, 1 to 128. Means nothing without persistence. */
  readonly netmask: number;
  readonly onePacket: boolean;
  /** `""` for none. */
  readonly persistenceEngine: string;
}

/** Address and port of a destination. */
export interface DestinationAddress {
  readonly address: IpAddress;
  readonly port: number;
}

/** A destination as a command describes it. Edits replace it as a whole. */
export interface DestinationRule extends DestinationAddress {
  readonly method: MethodName;
  readonly weight: number;
  /** 0: off. */
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly tunnel: Tunnel;
}

/** The three time-outs of `--set`. */
export interface TimeoutRule {
  readonly tcpSeconds: number;
  readonly tcpFinSeconds: number;
  readonly udpSeconds: number;
}

export type SyncState = "master" | "backup";

/** `--start-daemon`; undefined and 0 take the kernel's defaults. */
export interface SyncRule {
  readonly state: SyncState;
  readonly interfaceName: string;
  readonly syncId: number;
  readonly maxLength: number;
  readonly group?: IpAddress;
  readonly port: number;
  readonly ttl: number;
}
