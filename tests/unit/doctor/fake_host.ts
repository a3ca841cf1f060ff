/** A host in which nothing is wrong, until a test breaks something. */
import type {
  BindOutcome,
  ConnectOutcome,
  Host,
  HostAddress,
  HostRoute,
  KnockOutcome,
  KnockQuestion,
  PortHolder,
} from "../../../doctor/host.ts";
import { findRoute } from "../../../doctor/routes.ts";
import { IpAddress } from "../../../net/address.ts";
import { type Endpoint, formatEndpoint } from "../../../net/endpoint.ts";

/** 10.0.0.2/24 on eth0, default route by 10.0.0.1. */
const ROUTES = [
  "Iface Destination Gateway Flags RefCnt Use Metric Mask",
  "eth0 00000000 0100000A 0003 0 0 0 00000000",
  "eth0 0000000A 00000000 0001 0 0 0 00FFFFFF",
].join("\n");

export class FakeHost implements Host {
  system = "linux";
  hasFfi = true;
  isBlind = false;
  nowMs = Date.UTC(2026, 0, 1);
  readonly files = new Map<string, string>(Object.entries({
    "/proc/self/status": "CapEff:\t000001ffffffffff",
    "/proc/self/limits": "Max open files            65536                65536                files",
    "/proc/net/route": ROUTES,
    "/proc/sys/net/ipv4/ip_unprivileged_port_start": "1024",
    "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999",
    "/proc/sys/net/core/somaxconn": "4096",
    "/proc/sys/net/ipv4/conf/all/arp_ignore": "0",
    "/proc/sys/net/ipv4/conf/eth0/arp_ignore": "1",
    "/proc/sys/net/ipv4/conf/all/arp_announce": "2",
    "/proc/sys/net/ipv4/conf/all/rp_filter": "0",
    "/proc/sys/net/ipv4/conf/tunl0/rp_filter": "0",
    "/proc/net/tcp": "  sl local\n 0: 00000000:0050 00000000:0000 0A 0:0 0:0 0 0 0 4711 1",
    "/sys/class/net/eth0/mtu": "1540",
    "/sys/class/net/eth0/operstate": "up",
    "/sys/class/net/tunl0/flags": "0x1",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm",
  }));
  readonly folders = new Map<string, string[]>([["/sys/class/net", ["lo", "eth0", "tunl0"]]]);
  readonly own: HostAddress[] = [
    { interface: "lo", address: IpAddress.parse("127.0.0.1"), prefixLength: 8 },
    { interface: "eth0", address: IpAddress.parse("10.0.0.2"), prefixLength: 24 },
  ];
  /** By the command. */
  readonly outputs = new Map<string, string>();
  readonly names = new Map<string, string>();
  readonly binds = new Map<string, BindOutcome>();
  readonly connects = new Map<string, ConnectOutcome>();
  readonly receivers = new Set<string>();
  /** By interface and address: who answers ARP. */
  readonly neighbours = new Map<string, string[]>();
  /** By virtual endpoint and server. */
  readonly knocks = new Map<string, KnockOutcome>();
  readonly modes = new Map<string, number>();
  holder: PortHolder | undefined;

  /** Writes a switch as sysctl would. */
  set(name: string, value: number | string): this {
    this.files.set(`/proc/sys/${name.replaceAll(".", "/")}`, `${value}`);
    return this;
  }

  give(link: string, text: string): this {
    const [address = "", length = "32"] = text.split("/");
    this.own.push({ interface: link, address: IpAddress.parse(address), prefixLength: Number(length) });
    return this;
  }

  read(path: string): string | undefined {
    return this.files.get(path);
  }

  list(path: string): readonly string[] {
    return this.folders.get(path) ?? [];
  }

  output(words: readonly string[]): string | undefined {
    return this.outputs.get(words.join(" "));
  }

  addresses(): readonly HostAddress[] {
    return this.own;
  }

  route(to: IpAddress): HostRoute | undefined {
    if (to.isLoopback || this.own.some((it) => it.address.equals(to))) {
      return { interface: "lo", gateway: undefined };
    }
    return findRoute(
      to,
      this.files.get("/proc/net/route") ?? "",
      this.files.get("/proc/net/ipv6_route") ?? "",
    );
  }

  tryBind(_: "tcp" | "udp", at: Endpoint): BindOutcome {
    return this.binds.get(formatEndpoint(at)) ?? "free";
  }

  holderOf(): PortHolder | undefined {
    return this.holder;
  }

  lookUp(name: string): Promise<IpAddress | undefined> {
    const text = this.names.get(name);
    return Promise.resolve(text === undefined ? undefined : IpAddress.parse(text));
  }

  tryConnect(to: Endpoint): Promise<ConnectOutcome> {
    return Promise.resolve(this.connects.get(formatEndpoint(to)) ?? "answered");
  }

  tryConnectUnix(path: string): Promise<boolean> {
    return Promise.resolve(this.receivers.has(path));
  }

  whoHas(link: string, address: IpAddress): readonly string[] {
    return this.neighbours.get(`${link} ${address}`) ?? [];
  }

  knock({ virtual, server }: KnockQuestion): KnockOutcome {
    return this.knocks.get(`${formatEndpoint(virtual)} ${server}`) ?? "answered";
  }

  modeOf(path: string): number | undefined {
    return this.modes.get(path);
  }

  wallMs(): number {
    return this.nowMs;
  }
}
