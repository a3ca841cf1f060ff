/**
 * Whether a service can listen where it wants to.
 *
 * @module
 */
import type { ServiceConfig } from "../config/model.ts";
import type { IpAddress } from "../net/address.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { Prefix } from "../net/prefix.ts";
import { CAPABILITY, hasCapability } from "./capabilities.ts";
import type { Finding } from "./finding.ts";
import { type Host, isLocal, sysctl } from "./host.ts";

/** Every listener of the service. */
export function* listenerChecks(host: Host, service: ServiceConfig): Iterable<Finding> {
  for (const listen of service.mark?.listens ?? [service.listen]) yield* checkListener(host, service, listen);
}

function* checkListener(host: Host, service: ServiceConfig, listen: Endpoint): Iterable<Finding> {
  const { address, port } = listen;
  if (address.family === 6 && sysctl(host, "net.ipv6.conf.all.disable_ipv6") === 1) {
    yield stop(
      service,
      "ipv6-disabled",
      `${formatEndpoint(listen)} is IPv6, which is switched off on this host`,
      "sysctl -w net.ipv6.conf.all.disable_ipv6=0",
    );
    return;
  }
  const isOurs = address.isUnspecified || isLocal(host, address);
  if (!isOurs && sysctl(host, `net.ipv${address.family}.ip_nonlocal_bind`) !== 1) {
    const length = address.family === 4 ? "/32" : "/128";
    yield stop(
      service,
      "vip-missing",
      `${address} is not an address of this host, so sockets cannot listen on it`,
      address.family === 4
        ? `ip addr add ${address}${length} dev lo`
        : `ip -6 addr add ${address}${length} dev ${segmentOf(host, address)} nodad`,
    );
    return;
  }
  const first = sysctl(host, "net.ipv4.ip_unprivileged_port_start") ?? 1_024;
  if (port > 0 && port < first && !hasCapability(host, CAPABILITY.netBindService)) {
    yield stop(
      service,
      "privileged-port",
      `port ${port} is below ${first}, and this process lacks CAP_NET_BIND_SERVICE`,
      `sysctl -w net.ipv4.ip_unprivileged_port_start=${port}`,
    );
    return;
  }
  yield* checkFree(host, service, listen);
}

/** Linux answers for an address of lo on every interface, but not for an IPv6 one: that has to be on its own segment. */
function segmentOf(host: Host, address: IpAddress): string {
  return host.addresses().find((it) =>
    it.interface !== "lo" && it.address.family === 6 &&
    new Prefix(it.address, it.prefixLength).contains(address)
  )?.interface ?? "lo";
}

function* checkFree(host: Host, service: ServiceConfig, listen: Endpoint): Iterable<Finding> {
  if (listen.port === 0) return;
  const outcome = host.tryBind(service.protocol, listen);
  const where = `${service.protocol} ${formatEndpoint(listen)}`;
  if (outcome === "taken") {
    const holder = host.holderOf(service.protocol, listen.port);
    if (holder !== undefined && isLvsd(holder.command)) return;
    yield stop(
      service,
      "port-taken",
      holder === undefined
        ? `${where} is taken by a program that cannot be seen from here`
        : `${where} is taken by process ${holder.pid} (${holder.command})`,
      holder === undefined
        ? `ss -${service.protocol === "tcp" ? "lt" : "lu"}np 'sport = :${listen.port}'`
        : `kill ${holder.pid}`,
    );
  } else if (outcome === "denied") {
    yield stop(
      service,
      "bind-denied",
      `${where} may not be opened by this process`,
      `# run deno with --allow-net, and see the host's security policy (SELinux, AppArmor) for port ${listen.port}`,
    );
  } else if (outcome === "failed") {
    yield stop(service, "bind-failed", `${where} cannot be opened`, `ss -lnp 'sport = :${listen.port}'`);
  }
}

/** A running lvsd holds its own ports: nothing is wrong with that. */
function isLvsd(command: string): boolean {
  return /(^|[/\s])(lvsd|main\.(ts|js))\s+run(\s|$)/.test(command);
}

function stop(service: ServiceConfig, id: string, text: string, mend: string): Finding {
  return { id, effect: "stops", subject: service.name, text, mend };
}
