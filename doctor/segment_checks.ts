/**
 * The ARP trap: somebody else answers for the virtual address, and clients pass the director by.
 *
 * @module
 */
import type { PacketConfig, ServiceConfig } from "../config/model.ts";
import type { IpAddress } from "../net/address.ts";
import { isNamed } from "../net/endpoint.ts";
import { Prefix } from "../net/prefix.ts";
import type { Finding } from "./finding.ts";
import type { Host } from "./host.ts";

/** Asks on every segment in whose network the virtual address lies. */
export function* segmentChecks(
  host: Host,
  packet: PacketConfig | undefined,
  { name, listen, destinations }: ServiceConfig,
): Iterable<Finding> {
  const { address } = listen;
  if (address.isUnspecified || address.isLoopback) return;
  for (const link of segmentsOf(host, packet, address)) {
    for (const mac of host.whoHas(link, address)) {
      const server = destinations.map((it) => it.endpoint).find((it) =>
        !isNamed(it) && host.whoHas(link, it.address).includes(mac)
      );
      const text = `answers ARP for ${address} on ${link}: clients there pass the director by`;
      const about = { id: "vip-answered-elsewhere", effect: "stops", subject: name } as const;
      if (server === undefined || isNamed(server)) {
        const mend =
          `# find the host with this Ethernet address and take ${address} from it: ip neigh | grep ${mac}`;
        yield { ...about, text: `${mac} ${text}`, mend };
      } else {
        yield {
          ...about,
          text: `the real server ${server.address} (${mac}) ${text}`,
          on: `${server.address}`,
          mend: "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
        };
      }
    }
  }
}

function segmentsOf(host: Host, packet: PacketConfig | undefined, address: IpAddress): Set<string> {
  const networks = [
    ...host.addresses().map((it) => ({
      name: it.interface,
      network: new Prefix(it.address, it.prefixLength),
    })),
    ...(packet?.interfaces ?? []).flatMap(({ name, addresses }) =>
      addresses.map((it) => ({ name, network: Prefix.parse(it) }))
    ),
  ];
  const fitting = networks.filter(({ name, network }) => name !== "lo" && network.contains(address));
  return new Set(fitting.map((it) => it.name));
}
