/**
 * What the admin side asks of the running director, as plain JSON: the daemon implements {@linkcode StatusSource}, and
 * `/status`, `/metrics`, the control socket and `lvsd status` show it. Nothing here counts anything by itself.
 *
 * Wall-clock times are ISO 8601 text in UTC (for people to read), durations are seconds, what is absent is `null`.
 *
 * @module
 */
import type { KernelSysctlName, SysctlState } from "../director/sysctl_text.ts";
import type { ConfigProblem } from "../errors.ts";
import type { PacketPath, PacketWish } from "../engines/packet/packet_path.ts";
import type { Explanation } from "../simulator/explain.ts";

export type { SysctlState };

/** The running director, seen from the admin side. Every call answers from memory; none waits for the network. */
export interface StatusSource {
  status(): Status;
  readiness(): Readiness;
  /** Every switch of `net.ipv4.vs.*`, in alphabetical order. */
  sysctls(): readonly SysctlState[];
  /** Sets one from text. @throws {DirectorError} `EINVAL`, and nothing is changed */
  setSysctl(name: KernelSysctlName, value: string): SysctlState;
  rules(): RulesStatus;
  /** Lets the counters of the rules begin at 0. @returns them as they were */
  zeroRules(): RulesStatus;
  /** Reads the config file again. Resolves with `ok: false` for a broken file; rejects only for a defect. */
  reload(): Promise<ReloadOutcome>;
  /** The flight recorder as a script for `lvsd simulate`. */
  record(): string;
  /**
   * Where a flow would go, and why; changes nothing.
   *
   * @param flow such as `tcp 10.0.0.7:40000 -> :8080`
   * @throws {ValueError} the text is no flow, or names a service that is not there
   */
  explain(flow: string): Explanation;
  /**
   * The same for a packet, with its way through the packet engine.
   *
   * @throws {ValueError} beside those of {@linkcode explain}: there is no packet engine, or the wish is none
   */
  explainPacket(flow: string, wish: PacketWish): Promise<PacketExplanation>;
}

/** An explanation with the packet's way. */
export interface PacketExplanation extends Explanation {
  readonly path: PacketPath;
}

export interface Status {
  readonly version: string;
  readonly pid: number;
  readonly startedWall: string;
  readonly uptimeSeconds: number;
  /** `""` when the config came from command-line options. */
  readonly configFile: string;
  /** 1 at the start; grows with every reload that was applied. */
  readonly configGeneration: number;
  /** `null` before the first reload. */
  readonly lastReload: { readonly atWall: string; readonly ok: boolean; readonly message: string } | null;
  /** True after SIGTERM: no new connections. */
  readonly draining: boolean;
  /** The engine chosen by default, and why that one. */
  readonly engine: { readonly name: string; readonly reason: string };
  /** Threads of the native engine, those that have run. */
  readonly workers: readonly WorkerStatus[];
  readonly timeouts: TimeoutsStatus;
  /** In config order. */
  readonly services: readonly ServiceStatus[];
  readonly rules: RulesStatus;
  /** Drops that belong to no service; keys as in {@linkcode ServiceStatus.drops}. */
  readonly drops: CountByReason;
  readonly memory: { readonly rssBytes: number; readonly heapUsedBytes: number };
  readonly connectionTable: { readonly entries: number; readonly capacity: number };
  /** Log records dropped because the reader of the log was slow. */
  readonly logDropped: number;
  /** Services that ipvsadm made and that forward nothing, for no socket can stand for them; with the reason. */
  readonly unserved: readonly { readonly service: string; readonly reason: string }[];
}

/** A thread that waits for sockets and, each time it wakes, makes a turn through all that have something. */
export interface WorkerStatus {
  /** From 1. */
  readonly worker: number;
  readonly turns: number;
  /** Not waiting: it worked, collected garbage, or had its processor taken away. */
  readonly busySeconds: number;
  /** For so long somebody may have waited for it: the longest turn of the last 10 to 20 seconds. */
  readonly longestTurnSeconds: number;
  /** Live connections and UDP sessions. */
  readonly connections: number;
}

/** Chains in the order of the hooks, then the user's own. */
export interface RulesStatus {
  readonly chains: readonly ChainStatus[];
}

/** A base chain has a hook, a priority and a policy; any other is reached by jumps and has none of them. */
export interface ChainStatus {
  readonly name: string;
  readonly hook: string | null;
  readonly priority: number | null;
  readonly policy: "ACCEPT" | "DROP" | null;
  /** What the engine does in the place of the policy, and why; `""` when it does what it says. */
  readonly emulated: string;
  /** Decided by the policy. */
  readonly packets: number;
  readonly bytes: number;
  /** Jumps that lead here. */
  readonly references: number;
  readonly rules: readonly RuleStatus[];
}

/** A rule in the columns of `iptables -L -v -n`. */
export interface RuleStatus {
  /** From 1. */
  readonly number: number;
  /** Socket engines count new connections and, for UDP without a session, datagrams. */
  readonly packets: number;
  /** Payload of the datagrams; accepted TCP connections have none yet. */
  readonly bytes: number;
  /** `""` for a rule that only counts. */
  readonly target: string;
  readonly protocol: string;
  readonly inInterface: string;
  readonly outInterface: string;
  readonly source: string;
  readonly destination: string;
  readonly options: string;
  readonly comment: string;
  /** What the engine does in the place of the target, and why; `""` when it does what it says. */
  readonly emulated: string;
}

export interface TimeoutsStatus {
  readonly tcpSeconds: number;
  readonly tcpFinSeconds: number;
  readonly udpSeconds: number;
}

/** Counts under reasons of a closed list. A reason that never happened may be missing. */
export type CountByReason = Readonly<Record<string, number>>;

/** Totals since the start; they never go back, not even by a reload. */
export interface Counters {
  readonly connections: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** `unbound`: the address could not be bound and is retried. `closed`: stopped listening (drain, removal). */
export const SERVICE_STATES = ["listening", "unbound", "closed"] as const;
export type ServiceState = typeof SERVICE_STATES[number];

export interface ServiceStatus {
  /** Unique. */
  readonly name: string;
  readonly protocol: "tcp" | "udp";
  /**
   * Address and port really bound, or the wish while unbound: `10.0.0.1:80`, `[::]:443`. Of a service by mark every one, with
   * `, ` between; `""` when only rules feed it.
   */
  readonly listen: string;
  /** Firewall mark, `null` for a service by address. */
  readonly mark: number | null;
  readonly state: ServiceState;
  /** Why it is not listening; `""` while it is. */
  readonly stateReason: string;
  readonly scheduler: string;
  /** Names of the scheduler flags that are set: `sh-fallback`, `sh-port`, `mh-fallback`, `mh-port`, `flag-1`, ... */
  readonly flags: readonly string[];
  /** Forwarding method that was asked for. */
  readonly mode: "nat" | "dr" | "tun";
  /** The engine does something else that looks alike; `emulatedReason` says what and why. */
  readonly emulated: boolean;
  readonly emulatedReason: string;
  /** `portable`, `native` or `packet`. */
  readonly engine: string;
  /** Why this engine. */
  readonly engineReason: string;
  /** Settings of the configuration that do nothing here, each with the reason. */
  readonly notInForce: readonly { readonly setting: string; readonly reason: string }[];
  readonly persistence: { readonly timeoutSeconds: number; readonly prefixLength: number } | null;
  readonly onePacket: boolean;
  /** Client connections and UDP sessions that hold a socket now. */
  readonly liveConnections: number;
  readonly counters: Counters;
  /** False: this engine sees no packets, `packetsIn` and `packetsOut` are 0 and mean nothing. */
  readonly packetsCounted: boolean;
  /** Dropped or refused: names of `DROP_REASON` in kebab-case (`no-destination`), or of `END_REASONS`. */
  readonly drops: CountByReason;
  /** Ended connections by `END_REASONS`. */
  readonly ends: CountByReason;
  readonly sorryServer: { readonly address: string; readonly active: boolean } | null;
  /** In config order. */
  readonly destinations: readonly DestinationStatus[];
}

/**
 * `unchecked`: no health check, taken as up. `loop`: it is one of our own listeners and never gets traffic.
 * `unresolved`: its host name has no address. `duplicate`: its name has the address of another destination of the service,
 * which gets the traffic of both.
 */
export const DESTINATION_STATES = ["up", "down", "unchecked", "loop", "unresolved", "duplicate"] as const;
export type DestinationState = typeof DESTINATION_STATES[number];

export interface DestinationStatus {
  readonly name: string;
  /** `10.0.0.2:8080`; the host name as configured while it is unresolved. */
  readonly address: string;
  /** Weight in force: health, drain and slow start included. */
  readonly effectiveWeight: number;
  readonly configuredWeight: number;
  readonly activeConns: number;
  readonly inactiveConns: number;
  readonly persistentConns: number;
  readonly overloaded: boolean;
  /** 0 = off. */
  readonly upperThreshold: number;
  /** 0 = off. */
  readonly lowerThreshold: number;
  readonly state: DestinationState;
  /** `null` when nothing watches it. */
  readonly health: HealthStatus | null;
  readonly counters: Counters;
}

export interface HealthStatus {
  readonly up: boolean;
  /** `""` while up, else the reason of the last change (`CheckFailure`, or `passive`). */
  readonly reason: string;
  /** For people: the status seen, the first bytes of a wrong answer. */
  readonly detail: string;
  /** How long it has been in this state. */
  readonly sinceSeconds: number;
  /** When the last check ended; `null` before the first. */
  readonly lastCheckWall: string | null;
  /** Oldest first, at most `LIMITS.healthHistoryEntries`. */
  readonly history: readonly HealthChange[];
}

export interface HealthChange {
  readonly atWall: string;
  readonly up: boolean;
  readonly reason: string;
  readonly detail: string;
}

export interface Readiness {
  readonly ready: boolean;
  /** Empty when ready. */
  readonly problems: readonly ReadinessProblem[];
}

export interface ReadinessProblem {
  /** Name of the service, or `""` when it concerns the whole director (draining). */
  readonly service: string;
  readonly reason: string;
}

export interface ReloadOutcome {
  readonly ok: boolean;
  /** One line: what was done, or why nothing was. */
  readonly message: string;
  /** Mistakes of the file; empty when `ok`. */
  readonly problems: readonly ConfigProblem[];
  /** One line per change that was applied, in order: `service "web": destination 10.0.0.3:80 added`. */
  readonly changes: readonly string[];
}
