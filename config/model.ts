/**
 * A validated configuration: what the loader hands to the daemon. Durations are milliseconds, addresses are parsed,
 * defaults are filled in, `${ENV}` is replaced.
 *
 * @module
 */
import type { KernelSysctlName } from "../director/sysctl_text.ts";
import type { HealthTiming } from "../healthcheck/timing.ts";
import type { Chain } from "../hooks/rule.ts";
import type { Endpoint, EndpointText } from "../net/endpoint.ts";
import type { Tunnel } from "../modes/tunnel.ts";
import type { ForwardingMethodName } from "../modes/rules.ts";
import type { Prefix } from "../net/prefix.ts";
import type { TcpOptions } from "../net/tcp_options.ts";

export interface Config {
  /** File it came from, `""` for one made from command-line options. */
  readonly file: string;
  readonly admin: AdminConfig;
  readonly log: LogConfig;
  readonly timeouts: TimeoutsConfig;
  readonly drain: DrainConfig;
  readonly ipvs: IpvsConfig;
  /** Threads of the native engine. */
  readonly workers: number | "auto";
  /** Interfaces of the packet engine; undefined: it does not run. */
  readonly packet?: PacketConfig;
  /** Chains of rules; the lists and limits of single services are among them. */
  readonly rules: readonly Chain[];
  readonly services: readonly ServiceConfig[];
}

/** What the packet engine has to know of its surroundings. */
export interface PacketConfig {
  readonly interfaces: readonly {
    readonly name: string;
    /** 0: none. */
    readonly vlan: number;
    /** With the length of their network. */
    readonly addresses: readonly string[];
  }[];
  readonly routes: readonly { readonly to: string; readonly via: string }[];
  /** Of the thread that forwards. */
  readonly priority: "realtime" | "normal";
}

export interface AdminConfig {
  /** HTTP address; undefined when `listen: off`. */
  readonly listen?: Endpoint;
  /** Bearer token; required for an address that is not loopback. */
  readonly token?: string;
  /** Path of the control socket; undefined takes the documented default, `false` turns it off. */
  readonly socket?: string | false;
}

export interface LogConfig {
  readonly format: "text" | "json";
  readonly level: "debug" | "info" | "warning" | "error";
  /** One line per ended connection. */
  readonly connections: boolean;
}

/** `ipvsadm --set` (kernel defaults 900, 120, 300 s). */
export interface TimeoutsConfig {
  readonly tcpMs: number;
  readonly tcpFinMs: number;
  readonly udpMs: number;
}

/** What SIGTERM does. */
export interface DrainConfig {
  /** How long living connections may go on. */
  readonly deadlineMs: number;
  /** Over how long the rest is reset, so that clients do not all come back at once. */
  readonly spreadMs: number;
}

/** Switches of `net.ipv4.vs.*` that are not at their default, as the kernel would print their values. */
export type IpvsConfig = { readonly [Name in KernelSysctlName]?: string };

export type { ForwardingMethodName };

export interface ServiceConfig {
  readonly name: string;
  readonly protocol: "tcp" | "udp";
  /** The first address of a mark; 0.0.0.0:0 for one without listeners. */
  readonly listen: Endpoint;
  readonly mark?: MarkConfig;
  readonly scheduler: string;
  /** `SCHEDULER_FLAG` bits (`sh-fallback`, `sh-port`, ...). */
  readonly schedulerFlags: number;
  readonly mode: ForwardingMethodName;
  /** `real`: better not at all than emulated. */
  readonly require: "any" | "real";
  readonly persistence?: PersistenceConfig;
  readonly onePacket: boolean;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs?: number;
  /** `hand-over` and `tunnel` follow from destinations that have handOver or tunnelTo; nobody writes them. */
  readonly engine: "auto" | "native" | "portable" | "packet" | "hand-over" | "tunnel";
  readonly retries: number;
  /** How the real server learns the client's address. */
  readonly clientAddress: "none" | "proxy-v1" | "proxy-v2" | "transparent";
  readonly acceptProxyFrom: readonly Prefix[];
  readonly maxConnections?: number;
  /** What clients beyond `maxConnections` get. */
  readonly whenFull: "queue" | "refuse";
  readonly queueTimeoutMs: number;
  readonly maxSessions: number;
  /** Options of its sockets; undefined: the kernel's. */
  readonly tcp?: TcpOptions;
  readonly onDown: "quiesce" | "remove";
  /** When every destination is down and there is no sorry server: refuse, or use all as if they were up. */
  readonly whenAllDown: "refuse" | "use-all";
  readonly sorryServer?: EndpointText;
  /** Health check of destinations that have none of their own; undefined: no active check. */
  readonly healthCheck?: HealthCheckConfig;
  readonly passive?: PassiveHealthConfig;
  /** In file order, which is the order of addition. */
  readonly destinations: readonly DestinationConfig[];
}

/** A virtual service by firewall mark. */
export interface MarkConfig {
  readonly value: number;
  /** Every listener that feeds it; none when only rules do. */
  readonly listens: readonly Endpoint[];
}

export interface PersistenceConfig {
  readonly timeoutMs: number;
  /** Bits of the client address that count: 0 to 32, or to 128 for IPv6. */
  readonly prefixLength: number;
  /** What else keeps a client with its destination; UDP only. */
  readonly engine?: "sip";
  /** An IPv4 netmask that counts in place of the prefix; only ipvsadm sets it (`-M`), and any will do. */
  readonly netmask?: number;
}

export interface DestinationConfig {
  /** Name on screen; the address when none is given. */
  readonly name: string;
  readonly endpoint: EndpointText;
  readonly weight: number;
  /** 0 = off. */
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  /** Its own forwarding method in place of the service's; only ipvsadm sets it. */
  readonly method?: ForwardingMethodName;
  /** Of a destination with the method tun; only ipvsadm sets it. */
  readonly tunnel?: Tunnel;
  /** Unix socket of a receiver on this host, which gets the accepted sockets themselves. */
  readonly handOver?: string;
  /** Tunnel socket of `lvsd realserver --tunnel` at the destination's address. */
  readonly tunnelTo?: { readonly port: number; readonly keyFile: string };
  /** `false`: never checked, always up. */
  readonly healthCheck?: HealthCheckConfig | false;
}

export type HealthCheckConfig =
  & HealthTiming
  /** Way of the check; absent: the server's own address. */
  & { readonly through?: "address" | "path" }
  & (
    | { readonly type: "tcp" }
    | {
      readonly type: "http" | "https";
      readonly method: string;
      readonly path: string;
      readonly host?: string;
      readonly headers: Readonly<Record<string, string>>;
      /** Accepted status codes as inclusive ranges. */
      readonly status: readonly { readonly from: number; readonly to: number }[];
      readonly body?: RegExp;
      /** Check the certificate against the system's authorities (https). */
      readonly verify: boolean;
      readonly serverName?: string;
    }
    | {
      readonly type: "udp";
      readonly send: Uint8Array;
      /** Expected answer; undefined: no answer needed, only "port closed" is a failure. */
      readonly expect?: Uint8Array | RegExp;
    }
    | {
      readonly type: "exec";
      readonly command: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
    }
  );

/** Live traffic as a witness: failed connects count. */
export interface PassiveHealthConfig {
  /** Failed connects in a row that take a destination down. */
  readonly failures: number;
  /** How long it stays down when there is no active check to bring it back; grows with each repetition. */
  readonly ejectMs: number;
  /** At most this share of a service's destinations, in percent, may be down by passive evidence. */
  readonly maxEjectedPercent: number;
}
