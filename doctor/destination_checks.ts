/**
 * Whether the director reaches its real servers.
 *
 * @module
 */
import type { Config, DestinationConfig, ServiceConfig } from "../config/model.ts";
import { type Endpoint, formatEndpoint, isNamed } from "../net/endpoint.ts";
import type { Finding } from "./finding.ts";
import { type Host, type HostRoute, isLocal } from "./host.ts";
import { destinationPacketChecks } from "./packet_checks.ts";
import { socketPathChecks } from "./socket_path_checks.ts";

/** Everything about one destination. */
export async function destinationChecks(
  host: Host,
  config: Pick<Config, "services" | "file">,
  service: ServiceConfig,
  destination: DestinationConfig,
): Promise<Finding[]> {
  const written = destination.endpoint;
  const address = isNamed(written) ? await host.lookUp(written.host) : written.address;
  const subject = `${service.name} ${formatEndpoint(written)}`;
  if (address === undefined) return [unresolved(subject, isNamed(written) ? written.host : "")];
  const endpoint: Endpoint = { address, port: written.port };
  if (isOwnListener(host, config, service.protocol, endpoint)) return [loop(subject, config.file)];
  const route = host.route(address);
  if (route === undefined) return [noRoute(host, subject, endpoint)];
  const down = linkDown(host, subject, route);
  if (down !== undefined) return [down];
  return [
    ...destinationPacketChecks(host, service, destination, endpoint, route),
    ...await socketPathChecks(host, destination, endpoint, subject),
    ...await reachability(host, service, destination, endpoint, subject),
  ];
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
  const link = host.addresses().find((it) => it.interface !== "lo" && it.address.family === address.family);
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
