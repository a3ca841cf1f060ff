/**
 * The host as the doctor sees it. Passed in, so that a test can be any host.
 *
 * @module
 */
import type { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { interfaceSwitchName, switchPath } from "../net/interface_switch.ts";

/** One address of one interface. */
export interface HostAddress {
  readonly interface: string;
  readonly address: IpAddress;
  readonly prefixLength: number;
}

/** How a packet to somewhere would leave. */
export interface HostRoute {
  readonly interface: string;
  /** Undefined: the destination is on the interface's own network. */
  readonly gateway: IpAddress | undefined;
}

/** What came of binding an address for a moment. */
export type BindOutcome = "free" | "taken" | "not-local" | "denied" | "failed";

/** What came of connecting to an address. */
export type ConnectOutcome = "answered" | "refused" | "silent" | "unreachable";

/** A client's first packet, as the director sends it on. */
export interface KnockQuestion {
  readonly mode: "dr" | "tun";
  readonly virtual: Endpoint;
  readonly server: IpAddress;
  /** See `packTunnel`. */
  readonly tunnel: number;
  readonly route: HostRoute;
}

/** What came back for it; `unasked`: this host cannot ask (no CAP_NET_RAW, no address there, IPv6). */
export type KnockOutcome = "answered" | "refused" | "silent" | "unasked";

/** A program that holds a port. */
export interface PortHolder {
  readonly pid: number;
  /** Its command line. */
  readonly command: string;
}

/** Everything the doctor asks. No question changes anything on the host. */
export interface Host {
  /** `linux`, `darwin`, `windows`. */
  readonly system: string;
  /** Whether foreign functions may be called. */
  readonly hasFfi: boolean;
  /** Whether Deno lets nothing below /proc and /sys be read. */
  readonly isBlind: boolean;
  /** Text of a file below /proc or /sys, without the line end; undefined when there is none or it may not be read. */
  read(path: string): string | undefined;
  /** Names in a folder below /proc or /sys; none when it cannot be read. */
  list(path: string): readonly string[];
  /** What a command that only shows prints; undefined when it fails or may not be run. */
  output(words: readonly string[]): string | undefined;
  addresses(): readonly HostAddress[];
  /** The route of the main table; undefined when there is none. */
  route(to: IpAddress): HostRoute | undefined;
  tryBind(protocol: "tcp" | "udp", at: Endpoint): BindOutcome;
  holderOf(protocol: "tcp" | "udp", port: number): PortHolder | undefined;
  /** Undefined: the name has no address. */
  lookUp(name: string): Promise<IpAddress | undefined>;
  tryConnect(to: Endpoint): Promise<ConnectOutcome>;
  /** Whether somebody accepts on a Unix socket. */
  tryConnectUnix(path: string): Promise<boolean>;
  /** Ethernet addresses of all others that answer ARP for an address on an interface; none where that cannot be asked. */
  whoHas(link: string, address: IpAddress): readonly string[];
  /** Whether a SYN for a virtual address that goes the way of clients' packets is answered. */
  knock(question: KnockQuestion): KnockOutcome;
  /** Rights of a file (`0o600`); undefined when there is none. */
  modeOf(path: string): number | undefined;
  wallMs(): number;
}

/** Devices through which tunnelled packets arrive: the kernel's own, and that of `lvsd realserver tun`. */
export const TUNNEL_DEVICES: readonly string[] = ["tunl0", "ip6tnl0", "sit0", "gre0", "lvsd0"];

/** Flag of linux/if.h. */
export const IFF_UP = 1;

/** A number below /proc/sys; undefined when it is not there. */
export function sysctl(host: Host, name: string): number | undefined {
  const text = host.read(switchPath(name));
  const value = Number(text?.split(/\s+/)[0]);
  return text === undefined || Number.isNaN(value) ? undefined : value;
}

/**
 * A switch of `net.ipv4.conf` as it is in force: the larger of `all` and the interface counts, for `rp_filter`,
 * `arp_ignore` and `arp_announce` alike (ip-sysctl).
 */
export function interfaceSwitch(host: Host, link: string, name: string): number | undefined {
  const own = sysctl(host, interfaceSwitchName(link, name));
  const all = sysctl(host, interfaceSwitchName("all", name));
  if (own === undefined && all === undefined) return undefined;
  return Math.max(own ?? 0, all ?? 0);
}

/** Whether an address is one of the host's. */
export function isLocal(host: Host, address: IpAddress): boolean {
  return address.isLoopback || host.addresses().some((it) => it.address.equals(address));
}
