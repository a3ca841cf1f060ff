/**
 * Whether the director reaches its real servers.
 *
 * @module
 */
import type { Config, DestinationConfig, ServiceConfig } from "../config/model.ts";
import { packTunnel, PLAIN_TUNNEL } from "../modes/tunnel.ts";
import type { IpAddress } from "../net/address.ts";
import { type Endpoint, formatEndpoint, isNamed } from "../net/endpoint.ts";
import type { Finding } from "./finding.ts";
import { type Host, type HostRoute, IFF_UP, isLocal, TUNNEL_DEVICES } from "./host.ts";
import { Prefix } from "../net/prefix.ts";
import { destinationPacketChecks } from "./packet_checks.ts";
import { socketPathChecks } from "./socket_path_checks.ts";

/** Everything about one destination. @param hasPackets real packets are forwarded to it, as far as the host is concerned */
export async function destinationChecks(
  host: Host,
  config: Pick<Config, "services" | "file" | "packet">,
  service: ServiceConfig,
  destination: DestinationConfig,
  hasPackets: boolean,
): Promise<Finding[]> {
  const written = destination.endpoint;
  const address = isNamed(written) ? await host.lookUp(written.host) : written.address;
  const subject = `${service.name} ${formatEndpoint(written)}`;
  if (address === undefined) return [unresolved(subject, isNamed(written) ? written.host : "")];
  const endpoint: Endpoint = { address, port: written.port };
  if (isOwnListener(host, config, service.protocol, endpoint)) return [loop(subject, config.file)];
  const route = host.route(address);
  if (route === undefined) return [offLink(host, subject) ?? noRoute(host, subject, endpoint)];
  const down = linkDown(host, subject, route);
  if (down !== undefined) return [down];
  const reached = await reachability(host, service, destination, endpoint, subject);
  const isAlive = reached.every((it) => it.id === "server-refused");
  return [
    ...destinationPacketChecks(host, config, service, destination, endpoint, route),
    ...await socketPathChecks(host, destination, endpoint, subject),
    ...reached,
    ...(hasPackets && isAlive ? pathChecks(host, service, destination, { address, route, subject }) : []),
  ];
}

/** Sends what a client would send, as the director sends it on. */
function* pathChecks(
  host: Host,
  { mode, protocol, listen, mark }: ServiceConfig,
  { tunnel = PLAIN_TUNNEL }: DestinationConfig,
  { address, route, subject }: { address: IpAddress; route: HostRoute; subject: string },
): Iterable<Finding> {
  if (mode === "nat" || protocol !== "tcp" || mark !== undefined || isLocal(host, address)) return;
  const question = { mode, virtual: listen, server: address, tunnel: packTunnel(tunnel), route };
  const outcome = host.knock(question);
  const where = formatEndpoint(listen);
  const about = { effect: "stops", subject, on: String(address) } as const;
  const backend = `lvsd doctor --backend --vip ${listen.address} --mode ${mode} --port ${listen.port}`;
  if (outcome === "silent") {
    yield {
      ...about,
      id: "path-silent",
      text:
        `${address} is alive, and a packet for ${where} that is sent to it as clients' packets are is not answered`,
      mend: backend,
    };
  } else if (outcome === "refused") {
    yield {
      ...about,
      id: "path-refused",
      text: `the path to ${address} is in order, and nothing listens on ${where} there`,
      mend: backend,
    };
  }
}

function unresolved(subject: string, name: string): Finding {
  return {
    id: "name-unresolved",
    effect: "stops",
    subject,
    text: `the host name ${name} has no address, so this destination gets no traffic`,
    mend:
      `# give it an address in /etc/hosts or in the name server that /etc/resolv.conf names: getent hosts ${name}`,
  };
}

/** The config refuses the plain cases; names and wildcard listeners are known here only. */
function isOwnListener(
  host: Host,
  config: Pick<Config, "services">,
  protocol: "tcp" | "udp",
  target: Endpoint,
): boolean {
  return config.services.some((service) =>
    service.protocol === protocol &&
    (service.mark?.listens ?? [service.listen]).some((own) =>
      own.port === target.port &&
      (own.address.equals(target.address) || (own.address.isUnspecified && isLocal(host, target.address)))
    )
  );
}

function loop(subject: string, file: string): Finding {
  return {
    id: "loop",
    effect: "stops",
    subject,
    text: "this destination is a listener of lvsd's own: traffic would come back for ever, so it gets none",
    mend: `# in ${file}: give this destination the address on which its real server listens`,
  };
}

function noRoute(host: Host, subject: string, { address }: Endpoint): Finding {
  const links = host.addresses().filter((it) =>
    it.interface !== "lo" && it.address.family === address.family
  );
  const link = links.find((it) => new Prefix(it.address, it.prefixLength).contains(address)) ?? links[0];
  return {
    id: "no-route",
    effect: "stops",
    subject,
    text: `there is no route to ${address}`,
    mend: link === undefined
      ? `# give this host an address in the network of ${address}: ip addr add ... dev ...`
      : `ip ${address.family === 6 ? "-6 " : ""}route add ${address} dev ${link.interface}`,
  };
}

/** A link that is switched off takes its routes with it. */
function offLink(host: Host, subject: string): Finding | undefined {
  for (const link of host.list("/sys/class/net")) {
    const isOff = (Number(host.read(`/sys/class/net/${link}/flags`) ?? IFF_UP) & IFF_UP) === 0;
    if (isOff && !TUNNEL_DEVICES.includes(link)) {
      return linkDown(host, subject, { interface: link, gateway: undefined });
    }
  }
  return undefined;
}

function linkDown(host: Host, subject: string, { interface: link }: HostRoute): Finding | undefined {
  const state = host.read(`/sys/class/net/${link}/operstate`);
  if (state !== "down" && state !== "lowerlayerdown") return undefined;
  return {
    id: "link-down",
    effect: "stops",
    subject,
    text: `the route leads through ${link}, which is ${state === "down" ? "down" : "without a carrier"}`,
    mend: `ip link set dev ${link} up`,
  };
}

/** A server for DR or TUN may listen on the virtual address alone: then its own address refuses, and that is right. */
async function reachability(
  host: Host,
  { mode, protocol }: ServiceConfig,
  { healthCheck, tunnelTo }: DestinationConfig,
  endpoint: Endpoint,
  subject: string,
): Promise<Finding[]> {
  if (protocol !== "tcp" || healthCheck === false || tunnelTo !== undefined || endpoint.port === 0) return [];
  const outcome = await host.tryConnect(endpoint);
  if (outcome === "answered") return [];
  const told = {
    refused: "refuses: nothing listens there",
    silent: "does not answer: it is down, or a filter drops",
    unreachable: "is unreachable",
  }[outcome];
  return [{
    id: `server-${outcome}`,
    effect: mode === "nat" ? "stops" : "warns",
    subject,
    text: `${formatEndpoint(endpoint)} ${told}`,
    mend: outcome === "refused"
      ? `# on ${endpoint.address}: start the server, and see where it listens: ss -ltn 'sport = :${endpoint.port}'`
      : `# see where packets stay: ip route get ${endpoint.address}; ping -c 3 ${endpoint.address}`,
  }];
}
