/**
 * What has been read of a command so far. Options are taken strictly from left to right, and some mean another thing
 * behind others: the tool's users rely on that.
 *
 * @module
 */
import type { MethodName, ServiceKey } from "../director/specs.ts";
import type { Family, IpAddress } from "../net/address.ts";
import { PROTOCOL } from "../net/flow.ts";
import type { TunnelType } from "../modes/tunnel.ts";
import type { CommandName, OptionName } from "./grammar.ts";
import type { ServiceProtocol } from "./names.ts";
import type { DestinationRule, ServiceRule, SyncRule, SyncState, TimeoutRule } from "./rules.ts";
import { fail } from "./refusal.ts";

/** The default of `-s`. */
export const DEFAULT_SCHEDULER = "wlc";
/** Longest name of a scheduler, interface or persistence engine that the kernel takes, characters. */
export const NAME_LENGTH = 15;
const HOST_MASK = { 4: 0xffffffff, 6: 128 } as const;

const PROTOCOL_NAMES: Readonly<Record<number, ServiceProtocol>> = {
  [PROTOCOL.tcp]: "tcp",
  [PROTOCOL.udp]: "udp",
  [PROTOCOL.sctp]: "sctp",
};

/** Name of an IP protocol that has service names. */
export function protocolName(protocol: number): ServiceProtocol | undefined {
  return PROTOCOL_NAMES[protocol];
}

/** A command being read; `given` holds what has been counted. */
export class Draft {
  readonly command: CommandName;
  readonly given = new Set<OptionName>();
  /** 0 before the service is known. */
  protocol = 0;
  family: Family = 4;
  address: IpAddress | undefined;
  port = 0;
  mark = 0;
  netmask: number = HOST_MASK[4];
  scheduler = "";
  persistentSeconds: number | undefined;
  onePacket = false;
  persistenceEngine = "";
  /** Text of `-b`, read when the scheduler is known. */
  flagText = "";
  flags = 0;
  server: { address: IpAddress; port: number } | undefined;
  method: MethodName = "dr";
  weight = 1;
  upperThreshold = 0;
  lowerThreshold = 0;
  tunnelType: TunnelType = "ipip";
  tunnelPort = 0;
  checksum: "nocsum" | "csum" | "remcsum" = "nocsum";
  timeouts: TimeoutRule = { tcpSeconds: 0, tcpFinSeconds: 0, udpSeconds: 0 };
  syncState: SyncState = "master";
  interfaceName = "";
  syncId = 0;
  maxLength = 0;
  group: IpAddress | undefined;
  groupPort = 0;
  ttl = 0;
  /** This program's own listings. */
  showsOwn = false;
  asJson = false;

  constructor(command: CommandName) {
    this.command = command;
  }

  /** @throws {ToolError} the option was given before */
  count(option: OptionName): void {
    if (this.given.has(option)) throw fail(`multiple '${option}' options specified`);
    this.given.add(option);
  }

  setService(protocol: number, address: IpAddress, port: number): void {
    this.protocol = protocol;
    this.address = address;
    this.port = port;
    this.#setFamily(address.family);
  }

  setMark(mark: number): void {
    this.protocol = PROTOCOL.tcp;
    this.family = 4;
    this.mark = mark;
  }

  setIpv6(): void {
    this.#setFamily(6);
  }

  /** An IPv4 address leaves a netmask that came before it; an IPv6 one resets it. */
  #setFamily(family: Family): void {
    this.family = family;
    if (family === 6) this.netmask = HOST_MASK[6];
  }

  get key(): ServiceKey {
    const { mark, family, protocol, address, port } = this;
    if (mark !== 0 || address === undefined) return { mark, family };
    return { protocol, address, port };
  }

  get service(): ServiceRule {
    return {
      key: this.key,
      scheduler: this.scheduler,
      flags: this.flags,
      ...(this.persistentSeconds === undefined ? {} : { persistentSeconds: this.persistentSeconds }),
      netmask: this.netmask,
      onePacket: this.onePacket,
      persistenceEngine: this.persistenceEngine,
    };
  }

  /** Only for commands that require a server. */
  get destination(): DestinationRule {
    const { server } = this;
    if (server === undefined) throw fail("illegal real server address[:port] specified");
    return {
      ...server,
      method: this.method,
      weight: this.weight,
      upperThreshold: this.upperThreshold,
      lowerThreshold: this.lowerThreshold,
      tunnel: { type: this.tunnelType, port: this.tunnelPort, checksum: this.checksum },
    };
  }

  get sync(): SyncRule {
    return {
      state: this.syncState,
      interfaceName: this.interfaceName,
      syncId: this.syncId,
      maxLength: this.maxLength,
      ...(this.group === undefined ? {} : { group: this.group }),
      port: this.groupPort,
      ttl: this.ttl,
    };
  }
}
