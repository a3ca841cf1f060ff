/**
 * A director that says what a test wants it to say.
 */
import { ValueError } from "../../../errors.ts";
import type { PacketExplanation } from "../../../admin/source.ts";
import type { PacketWish } from "../../../engines/packet/packet_path.ts";
import type { Explanation } from "../../../simulator/explain.ts";
import type {
  ChainStatus,
  Counters,
  DestinationStatus,
  Readiness,
  ReloadOutcome,
  RulesStatus,
  ServiceStatus,
  Status,
  StatusSource,
} from "../../../admin/source.ts";
import { Store } from "../../../director/store.ts";
import { openSysctl, type Sysctl } from "../../../director/sysctl.ts";
import {
  KERNEL_SYSCTL_NAMES,
  type KernelSysctlName,
  type SysctlState,
  sysctlState,
  writeSysctl,
} from "../../../director/sysctl_text.ts";
import type { ToolAnswer, ToolRequest, ToolRunner } from "../../../admin/tool.ts";

export const COUNTERS: Counters = {
  connections: 7,
  packetsIn: 70,
  packetsOut: 80,
  bytesIn: 700,
  bytesOut: 800,
};

export function destinationStatus(over: Partial<DestinationStatus> = {}): DestinationStatus {
  return {
    name: "127.0.0.1:3001",
    address: "127.0.0.1:3001",
    effectiveWeight: 1,
    configuredWeight: 1,
    activeConns: 2,
    inactiveConns: 3,
    persistentConns: 0,
    overloaded: false,
    upperThreshold: 0,
    lowerThreshold: 0,
    state: "up",
    health: { up: true, reason: "", detail: "200", sinceSeconds: 61, lastCheckWall: null, history: [] },
    counters: COUNTERS,
    ...over,
  };
}

export function serviceStatus(over: Partial<ServiceStatus> = {}): ServiceStatus {
  return {
    name: "web",
    protocol: "tcp",
    listen: "127.0.0.1:8080",
    mark: null,
    state: "listening",
    stateReason: "",
    scheduler: "wlc",
    flags: [],
    mode: "nat",
    notInForce: [],
    emulated: false,
    emulatedReason: "",
    engine: "portable",
    engineReason: "a test",
    persistence: null,
    onePacket: false,
    liveConnections: 2,
    counters: COUNTERS,
    packetsCounted: false,
    drops: { "no-destination": 1 },
    ends: { done: 5, "client-reset": 1 },
    sorryServer: null,
    destinations: [destinationStatus()],
    ...over,
  };
}

/** One rule and a policy. */
export const CHAIN: ChainStatus = {
  name: "INPUT",
  hook: "input",
  priority: 0,
  policy: "ACCEPT",
  emulated: "",
  packets: 12,
  bytes: 340,
  references: 0,
  rules: [{
    number: 1,
    packets: 5,
    bytes: 60,
    target: "DROP",
    protocol: "tcp",
    inInterface: "*",
    outInterface: "*",
    source: "203.0.113.0/24",
    destination: "0.0.0.0/0",
    options: "tcp dpt:80 /* scanners */",
    comment: "scanners",
    emulated: "a TCP connection is reset",
  }],
};

export function directorStatus(over: Partial<Status> = {}): Status {
  return {
    version: "9.9.9",
    pid: Deno.pid,
    startedWall: "2026-01-02T03:04:05.000Z",
    uptimeSeconds: 3_725,
    configFile: "/etc/lvsd.yaml",
    configGeneration: 1,
    lastReload: null,
    draining: false,
    engine: { name: "portable", reason: "no permission for FFI" },
    workers: [{ worker: 1, turns: 1_000, busySeconds: 2.5, longestTurnSeconds: 0.004, connections: 7 }],
    timeouts: { tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 300 },
    services: [serviceStatus()],
    rules: { chains: [CHAIN] },
    drops: { "no-service": 4 },
    memory: { rssBytes: 80_000_000, heapUsedBytes: 20_000_000 },
    connectionTable: { entries: 5, capacity: 262_144 },
    logDropped: 0,
    unserved: [],
    ...over,
  };
}

/** Answers with its fields; counts the reloads. */
export class FakeSource implements StatusSource, ToolRunner {
  current: Status = directorStatus();
  ready: Readiness = { ready: true, problems: [] };
  outcome: ReloadOutcome = { ok: true, message: "nothing changed", problems: [], changes: [] };
  reloads = 0;
  readonly sysctl: Sysctl = openSysctl(
    Store.create({ capacities: { services: 1, destinations: 1 } }).header,
    () => {},
  );
  /** How often the rules' counters were to begin at 0. */
  zeroed = 0;
  /** A reload waits for it. */
  reloadGate: Promise<void> = Promise.resolve();

  status(): Status {
    return this.current;
  }

  readiness(): Readiness {
    return this.ready;
  }

  sysctls(): readonly SysctlState[] {
    return KERNEL_SYSCTL_NAMES.map((name) => sysctlState(this.sysctl, name));
  }

  setSysctl(name: KernelSysctlName, value: string): SysctlState {
    writeSysctl(this.sysctl, name, value);
    return sysctlState(this.sysctl, name);
  }

  rules(): RulesStatus {
    return this.current.rules;
  }

  zeroRules(): RulesStatus {
    this.zeroed++;
    return this.current.rules;
  }

  record(): string {
    return "clock recorded\n";
  }

  explainPacket(flow: string, { bytes = 0 }: PacketWish): Promise<PacketExplanation> {
    return Promise.resolve({ ...this.explain(flow), path: { packet: `${bytes} bytes`, steps: [] } });
  }

  explain(flow: string): Explanation {
    if (!flow.includes("->")) throw new ValueError("FLOW_INVALID", `"${flow}" is no flow`);
    const nothing = {
      service: null,
      scheduler: null,
      rules: [],
      entry: null,
      template: null,
      destinations: [],
    };
    return { flow, ...nothing, answer: null, refusal: "no-service", why: "nobody takes it" };
  }

  /** Answers with what it was asked. */
  tool({ words, stdin }: ToolRequest): Promise<ToolAnswer> {
    return Promise.resolve({ code: words.length, stdout: words.join(" "), stderr: stdin });
  }

  proc(name: string): string | undefined {
    return name === "ip_vs" ? "the table\n" : undefined;
  }

  async reload(): Promise<ReloadOutcome> {
    this.reloads++;
    await this.reloadGate;
    return this.outcome;
  }
}
