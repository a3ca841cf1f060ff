/**
 * What a virtual service and a destination are made of, as the control plane says it.
 *
 * @module
 */
import type { Tunnel } from "../modes/tunnel.ts";
import type { Family, IpAddress } from "../net/address.ts";

/** Identity of a virtual service: protocol, address and port, or a firewall mark. */
export type ServiceKey =
  | {
    /** IP protocol number, see `PROTOCOL`. */
    readonly protocol: number;
    readonly address: IpAddress;
    /** 0: every port that has no service of its own (persistent services only). */
    readonly port: number;
  }
  | {
    /** 1 to 2^32-1. */
    readonly mark: number;
    readonly family: Family;
  };

/** How long, and by how much of its address, a client stays with its destination. */
export type PersistenceSpec =
  & { readonly timeoutMs: number }
  & (
    | {
      /** Bits of the client address that count: 0 to 32, or 1 to 128 for IPv6. */ readonly prefixLength:
        number;
    }
    | { /** An IPv4 netmask as a number; the kernel takes any, 255.0.255.0 too. */ readonly netmask: number }
  );

/** A virtual service. */
export interface ServiceSpec {
  readonly key: ServiceKey;
  /** As ipvsadm spells it; `none` accepts no new connection. */
  readonly scheduler: string;
  /** `SCHEDULER_FLAG` bits. */
  readonly flags?: number;
  readonly persistence?: PersistenceSpec;
  /** `--pe` of ipvsadm; acts on a persistent service only. */
  readonly persistenceEngine?: string;
  /** UDP: every datagram is scheduled by itself. */
  readonly onePacket?: boolean;
}

/** Forwarding methods. */
export const METHOD_NAMES = ["nat", "dr", "tun"] as const;
export type MethodName = typeof METHOD_NAMES[number];

/** A destination of a virtual service. */
export interface DestinationSpec {
  readonly address: IpAddress;
  /** 0 keeps the port of the packet (mark and port-0 services). */
  readonly port: number;
  readonly method: MethodName;
  /** Configured weight, 0 to 2^31-1. */
  readonly weight: number;
  /** Weight in force from the first moment, when health or slow start differ from the configured one. */
  readonly effectiveWeight?: number;
  /** Connections, ended ones included, from which it gets no new ones; 0 is off. */
  readonly upperThreshold?: number;
  /** Connections below which it gets new ones again; 0 is three quarters of the upper one. */
  readonly lowerThreshold?: number;
  /** For method tun; plain IP-in-IP when absent. */
  readonly tunnel?: Tunnel;
  /** A socket engine can serve IPv6 clients from an IPv4 server; the kernel allows that for TUN only. */
  readonly allowMixedFamilies?: boolean;
}
