/**
 * The doctor's round on a real server: does it own the virtual address, and does it keep that from its neighbours?
 *
 * @module
 */
import type { ForwardingMethodName } from "../modes/rules.ts";
import type { IpAddress } from "../net/address.ts";
import { interfaceSwitchName } from "../net/interface_switch.ts";
import type { Finding } from "./finding.ts";
import { type Host, type HostAddress, IFF_UP, interfaceSwitch, sysctl, TUNNEL_DEVICES } from "./host.ts";
import { listeningSockets, takesIpv4 } from "./socket_tables.ts";

/** What a real server is asked about. */
export interface BackendQuestion {
  readonly mode: ForwardingMethodName;
  readonly virtualAddress: IpAddress;
  readonly protocol: "tcp" | "udp";
  /** Port of the service; 0 is not asked about. */
  readonly port: number;
  /** NAT: the director's address on the real servers' side, when it is known. */
  readonly director?: IpAddress;
}

/** Everything that is wrong with this host as a real server. */
export function backendFindings(host: Host, question: BackendQuestion): Finding[] {
  if (question.mode === "nat") return [...natServer(host, question), ...clientRoute(host, question)];
  // Director and real server on one host: no neighbour is there to be told or to keep from it.
  if (question.virtualAddress.isLoopback) return [...application(host, question)];
  return [
    ...ownsTheAddress(host, question),
    ...hidesTheAddress(host, question),
    ...unwraps(host, question),
    ...reversePath(host, question),
    ...clientRoute(host, question),
    ...application(host, question),
  ];
}

function* ownsTheAddress(host: Host, { virtualAddress }: BackendQuestion): Iterable<Finding> {
  const owner = host.addresses().find((it) => it.address.equals(virtualAddress));
  const full = virtualAddress.family === 4 ? 32 : 128;
  const add = addCommand(virtualAddress);
  if (owner === undefined) {
    yield finding(
      "vip-not-on-lo",
      "lo",
      `${virtualAddress} is no address of this host, so packets for it are not accepted`,
      add,
    );
    return;
  }
  const remove = `ip addr del ${virtualAddress}/${owner.prefixLength} dev ${owner.interface}`;
  if (!isHidden(owner)) {
    yield finding(
      "vip-on-segment",
      owner.interface,
      `${virtualAddress} is on ${owner.interface}: this host answers ARP for it and takes all traffic from the director`,
      `${remove} && ${add}`,
    );
  } else if (owner.prefixLength !== full) {
    yield finding(
      "vip-prefix",
      owner.interface,
      `${virtualAddress}/${owner.prefixLength} on ${owner.interface} makes every address of that network local; ` +
        `clients in it are never answered`,
      `${remove} && ${add}`,
    );
  }
}

/** ARP is IPv4's; Linux does not answer neighbour solicitations for an IPv6 address of lo on other interfaces. */
function* hidesTheAddress(host: Host, { virtualAddress }: BackendQuestion): Iterable<Finding> {
  if (virtualAddress.family !== 4) return;
  for (const link of segmentLinks(host)) {
    const ignore = interfaceSwitch(host, link, "arp_ignore");
    if (ignore !== undefined && ignore < 1) {
      yield finding(
        "arp-ignore",
        link,
        `arp_ignore is ${ignore} for ${link}: this host answers ARP for ${virtualAddress} and takes traffic past the director`,
        "sysctl -w net.ipv4.conf.all.arp_ignore=1",
      );
    }
    const announce = interfaceSwitch(host, link, "arp_announce");
    if (announce !== undefined && announce < 2) {
      yield finding(
        "arp-announce",
        link,
        `arp_announce is ${announce} for ${link}: ARP questions carry ${virtualAddress} as sender, and routers learn it`,
        "sysctl -w net.ipv4.conf.all.arp_announce=2",
      );
    }
  }
}

function* unwraps(host: Host, { mode, virtualAddress }: BackendQuestion): Iterable<Finding> {
  if (mode !== "tun") return;
  const device = tunnelDevice(host);
  if (device === undefined) {
    yield finding(
      "tunnel-missing",
      "",
      "no device takes tunnelled packets apart",
      hasTunnelDriver(host)
        ? "modprobe ipip && ip link set dev tunl0 up"
        : `lvsd realserver tun --vip ${virtualAddress} &`,
    );
  } else if ((Number(host.read(`/sys/class/net/${device}/flags`) ?? IFF_UP) & IFF_UP) === 0) {
    yield finding(
      "tunnel-down",
      device,
      `${device} is down, so tunnelled packets are not taken apart`,
      `ip link set dev ${device} up`,
    );
  }
}

/** Whether this kernel has IP in IP, as a module or built in. */
function hasTunnelDriver(host: Host): boolean {
  const folder = `/lib/modules/${host.read("/proc/sys/kernel/osrelease") ?? ""}`;
  return ["modules.dep", "modules.builtin"].some((it) =>
    host.read(`${folder}/${it}`)?.includes("/ipip.ko") ?? false
  );
}

/** 1 is strict: a packet is dropped when its source is not reached through the interface by which it came. */
function* reversePath(host: Host, { mode }: BackendQuestion): Iterable<Finding> {
  const device = tunnelDevice(host);
  if (mode !== "tun" || device === undefined) return;
  const value = interfaceSwitch(host, device, "rp_filter");
  if (value !== 1) return;
  const all = sysctl(host, "net.ipv4.conf.all.rp_filter") === 1;
  const names = [...(all ? ["all"] : []), device];
  yield finding(
    "rp-filter",
    device,
    `rp_filter is strict for ${device}: clients are not reached through the tunnel, so their packets are dropped`,
    `sysctl -w ${names.map((it) => `${interfaceSwitchName(it, "rp_filter")}=0`).join(" ")}`,
  );
}

function* clientRoute(host: Host, { virtualAddress }: BackendQuestion): Iterable<Finding> {
  const { family } = virtualAddress;
  const table = host.read(family === 4 ? "/proc/net/route" : "/proc/net/ipv6_route") ?? "";
  const lines = table.split("\n").map((it) => it.trim().split(/\s+/));
  const hasDefault = family === 4
    ? lines.some(([, to, , flags = "0", , , , mask]) =>
      to === "00000000" && mask === "00000000" && (parseInt(flags, 16) & 1) !== 0
    )
    : lines.some(([to = "", length, , , , , , , flags = "0"]) =>
      /^0+$/.test(to) && length === "00" && (parseInt(flags, 16) & 0x201) === 1
    );
  if (hasDefault) return;
  const link = segmentLinks(host)[0] ?? "eth0";
  yield {
    id: "no-default-route",
    effect: "warns",
    subject: "",
    text: "there is no default route: clients outside the routes of this host are not answered",
    mend: `ip ${family === 6 ? "-6 " : ""}route add default dev ${link}`,
  };
}

/** A server bound to its own address alone refuses what comes for the virtual one. */
function* application(host: Host, { virtualAddress, protocol, port }: BackendQuestion): Iterable<Finding> {
  if (port === 0 || virtualAddress.family !== 4) return;
  const sockets = [protocol, `${protocol}6`].flatMap((it) =>
    listeningSockets(host.read(`/proc/net/${it}`) ?? "", protocol)
  ).filter((it) => it.port === port);
  if (sockets.some((it) => takesIpv4(it, virtualAddress.words[0] ?? 0))) return;
  yield finding(
    "server-not-on-vip",
    `port ${port}`,
    sockets.length === 0
      ? `nothing listens on ${protocol} port ${port}`
      : `the server on ${protocol} port ${port} listens on another address than ${virtualAddress} and refuses its clients`,
    `# let the server listen on ${virtualAddress}:${port}; see where it does: ss -lnp 'sport = :${port}'`,
  );
}

function* natServer(host: Host, { director, virtualAddress }: BackendQuestion): Iterable<Finding> {
  if (host.addresses().some((it) => it.address.equals(virtualAddress))) {
    yield finding(
      "vip-on-nat-server",
      "",
      `${virtualAddress} is on this host too; in NAT only the director has it`,
      `ip addr del ${virtualAddress} dev lo`,
    );
  }
  if (director === undefined) return;
  const route = host.route(director);
  const onward = route === undefined ? undefined : defaultGateway(host);
  if (onward !== String(director)) {
    yield finding(
      "nat-gateway",
      "",
      `the default gateway is ${
        onward ?? "missing"
      } and must be the director ${director}: replies pass it by, and ` +
        "clients reset what comes from an address they do not know",
      `ip route replace default via ${director}`,
    );
  }
  if (segmentLinks(host).some((it) => interfaceSwitch(host, it, "accept_redirects") === 1)) {
    yield {
      id: "accept-redirects",
      effect: "warns",
      subject: "",
      text: "ICMP redirects are believed: a router may teach this host a way past the director",
      mend: "sysctl -w net.ipv4.conf.all.accept_redirects=0",
    };
  }
}

function defaultGateway(host: Host): string | undefined {
  const lines = (host.read("/proc/net/route") ?? "").split("\n").map((it) => it.trim().split(/\s+/));
  const [, , gateway = ""] =
    lines.find(([, to, , , , , , mask]) => to === "00000000" && mask === "00000000") ??
      [];
  const bytes = gateway.match(/../g)?.reverse().map((it) => parseInt(it, 16));
  return bytes?.join(".");
}

function tunnelDevice(host: Host): string | undefined {
  const links = host.list("/sys/class/net");
  return TUNNEL_DEVICES.find((it) => links.includes(it));
}

/** Interfaces on which somebody can ask: not lo, not tunnels. */
function segmentLinks(host: Host): string[] {
  const names = host.addresses().filter((it) => it.address.family === 4).map((it) => it.interface);
  return [...new Set(names)].filter((it) => !isQuiet(it));
}

function isHidden(owner: HostAddress): boolean {
  return isQuiet(owner.interface);
}

/** Nobody asks for neighbours there. */
function isQuiet(link: string): boolean {
  return link === "lo" || link.startsWith("dummy") || TUNNEL_DEVICES.includes(link);
}

function addCommand(address: IpAddress): string {
  return address.family === 4
    ? `ip addr add ${address}/32 dev lo`
    : `ip -6 addr add ${address}/128 dev lo nodad`;
}

function finding(id: string, subject: string, text: string, mend: string): Finding {
  return { id, effect: "stops", subject, text, mend };
}
