/**
 * What real packets (DR, TUN) need on the director, and what a tunnel does to the MTU.
 *
 * @module
 */
import type { Config, DestinationConfig, ServiceConfig } from "../config/model.ts";
import { tunnelOverheadBytes } from "../modes/tun_packet.ts";
import { PLAIN_TUNNEL } from "../modes/tunnel.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { Prefix } from "../net/prefix.ts";
import { CAPABILITY, grantCommand, hasCapability } from "./capabilities.ts";
import type { Finding } from "./finding.ts";
import { type Host, type HostRoute, isLocal } from "./host.ts";

/** Packets of this size come from clients on Ethernet. */
const CLIENT_MTU = 1_500;
/** IPv6 has no smaller one (RFC 8200 section 5). */
const IPV6_LEAST_MTU = 1_280;

/** What a service asked for that works by sockets only. */
const BY_SOCKETS: Readonly<
  Record<
    Exclude<ServiceConfig["engine"], "auto" | "packet">,
    { readonly text: string; readonly edit: string }
  >
> = {
  "hand-over": {
    text:
      "its destinations have handOver: accepted sockets are handed to them, and answers bypass the director",
    edit: "handOver",
  },
  tunnel: {
    text: "its destinations have tunnelTo: a tunnel socket leads to each, and answers come back through it",
    edit: "tunnelTo",
  },
  native: { text: "the config says engine: native, which works by sockets", edit: "engine: native" },
  portable: { text: "the config says engine: portable, which works by sockets", edit: "engine: portable" },
};

/** Why a service is not carried by real packets on this host. */
export function* packetObstacles(
  host: Host,
  { packet, file }: Pick<Config, "packet" | "file">,
  { engine }: ServiceConfig,
): Iterable<Finding> {
  if (engine !== "auto" && engine !== "packet") {
    const { text, edit } = BY_SOCKETS[engine];
    yield obstacle("engine-by-sockets", text, `# in ${file}: take ${edit} out`);
    return;
  }
  if (packet === undefined) {
    yield obstacle(
      "packet-section",
      'the config has no section "packet", which names the interfaces of the packet engine',
      `# in ${file}: packet: {interfaces: [{name: eth0, addresses: [10.0.0.1/24]}]}; docs/packet.md`,
    );
  }
  for (const { name } of packet?.interfaces ?? []) {
    if (host.list("/sys/class/net").includes(name)) continue;
    yield obstacle(
      "packet-interface",
      `the section "packet" names the interface ${name}, which this host does not have`,
      `# in ${file}: name one of ${host.list("/sys/class/net").join(", ")}`,
    );
  }
  yield* hostObstacles(host);
}

/** What the kernel and the process do not permit. */
function* hostObstacles(host: Host): Iterable<Finding> {
  if (host.system !== "linux") {
    yield obstacle(
      "system",
      `real packets need Linux, and this is ${host.system}`,
      "# run lvsd on a Linux host",
    );
    return;
  }
  if (!hasCapability(host, CAPABILITY.netRaw)) {
    yield obstacle(
      "capability-net-raw",
      "packet sockets need CAP_NET_RAW, which this process lacks",
      grantCommand("cap_net_raw", "cap_net_admin"),
    );
  }
  if (!host.hasFfi) {
    yield obstacle(
      "ffi",
      "packet sockets are opened through the C library, which Deno does not permit",
      "# run deno with --allow-ffi (./lvsd and the built file do)",
    );
  }
}

/** Why one service cannot have real packets. */
export function* servicePacketChecks(
  host: Host,
  packet: Config["packet"],
  { name, listen }: ServiceConfig,
): Iterable<Finding> {
  for (const { name: link } of packet?.interfaces ?? []) {
    if (host.read(`/sys/class/net/${link}/operstate`) !== "down") continue;
    const text = `the packet engine's interface ${link} is down`;
    yield { id: "link-down", effect: "stops", subject: name, text, mend: `ip link set dev ${link} up` };
  }
  const owner = host.addresses().find((it) => it.address.equals(listen.address));
  if (owner === undefined || listen.address.isUnspecified) return;
  yield {
    id: "vip-on-host",
    effect: "warns",
    subject: name,
    text:
      `${listen.address} is an address of this host (${owner.interface}); with real packets its own stack ` +
      "would answer too. By sockets it has to be there",
    mend: `ip addr del ${listen.address}/${owner.prefixLength} dev ${owner.interface}`,
  };
}

/** What is in the way of packets to one destination. */
export function* destinationPacketChecks(
  host: Host,
  config: Pick<Config, "packet" | "file">,
  service: ServiceConfig,
  destination: DestinationConfig,
  endpoint: Endpoint,
  route: HostRoute,
): Iterable<Finding> {
  const { mode, name } = service;
  if (isLocal(host, endpoint.address)) return;
  const subject = `${name} ${formatEndpoint(endpoint)}`;
  if (mode === "dr") yield* offLink(config, endpoint, route, subject);
  if (mode === "tun") yield* tunnelRoom(host, destination, endpoint, route, subject);
}

/** With packets the engine's own networks count, and the host's routes do not. */
function* offLink(
  { packet, file }: Pick<Config, "packet" | "file">,
  { address }: Endpoint,
  route: HostRoute,
  subject: string,
): Iterable<Finding> {
  const networks = packet?.interfaces.flatMap((it) => it.addresses.map((text) => Prefix.parse(text)));
  if (networks === undefined ? route.gateway === undefined : networks.some((it) => it.contains(address))) {
    return;
  }
  const text =
    `DR changes Ethernet addresses only, and ${address} is behind a router; use mode tun, or, if it is on ` +
    "this segment after all, say so";
  yield {
    id: "dr-off-link",
    effect: "emulates",
    subject,
    text,
    mend: networks === undefined
      ? `ip route replace ${address} dev ${route.interface}`
      : `# in ${file}: give ${route.interface} an address in the network of ${address} in the section "packet"`,
  };
}

function* tunnelRoom(
  host: Host,
  { tunnel = PLAIN_TUNNEL }: DestinationConfig,
  { address }: Endpoint,
  route: HostRoute,
  subject: string,
): Iterable<Finding> {
  const mtu = Number(host.read(`/sys/class/net/${route.interface}/mtu`));
  const overhead = tunnelOverheadBytes(tunnel, address.family);
  if (!(mtu > 0) || mtu - overhead >= CLIENT_MTU) return;
  const room = mtu - overhead;
  const tooSmall = address.family === 6 && room < IPV6_LEAST_MTU;
  yield {
    id: "mtu-room",
    effect: tooSmall ? "emulates" : "warns",
    subject,
    text:
      `${route.interface} carries ${mtu} bytes, and ${tunnel.type} takes ${overhead} of them: clients' packets ` +
      `of more than ${room} bytes are answered "too big", which a filter on the way may swallow`,
    mend: `ip link set dev ${route.interface} mtu ${CLIENT_MTU + overhead}`,
  };
}

function obstacle(id: string, text: string, mend: string): Finding {
  return { id, effect: "emulates", subject: "", text, mend };
}
