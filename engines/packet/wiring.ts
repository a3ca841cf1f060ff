/**
 * Interfaces and addresses of a packet director as people write them, made into links and routes.
 *
 * @module
 */
import { ValueError } from "../../errors.ts";
import { IpAddress } from "../../net/address.ts";
import { Prefix } from "../../net/prefix.ts";
import { MAC_BYTES } from "../../packet/ethernet.ts";
import type { GatewayRoute, Link, LinkAddress } from "./links.ts";

/** One interface, or one VLAN of it. */
export interface WiredInterface {
  /** Name of the system's interface. */
  readonly name: string;
  /** VLAN identifier, 0 for none. */
  readonly vlan?: number;
  /** The director's addresses there, `10.1.0.1/24`: towards clients, and as gateway of real servers behind NAT. */
  readonly addresses: readonly string[];
}

/** A way through a router. */
export interface WiredRoute {
  /** `0.0.0.0/0` for all that is nowhere else. */
  readonly to: string;
  readonly via: string;
}

/** Everything that a packet director has to know of its surroundings; plain data that goes to a worker. */
export interface Wiring {
  readonly interfaces: readonly WiredInterface[];
  readonly routes: readonly WiredRoute[];
  /** Virtual addresses; each is owned on the interface whose network it lies in, else on the first. */
  readonly virtualAddresses: readonly string[];
}

/** What the system says of an interface. */
export interface SystemInterface {
  readonly index: number;
  readonly mtu: number;
  readonly mac: Uint8Array;
  /** See {@linkcode Link.carriesTrains}. */
  readonly carriesTrains?: boolean;
}

/**
 * Links, addresses and routes for a `PacketDirector`.
 *
 * @param known links there were before: an interface that is still there keeps its own, and with it its neighbours
 * @throws {ValueError} `ADDRESS_INVALID`, `PREFIX_INVALID`, `ROUTE_UNREACHABLE`
 */
export function wire(
  wiring: Wiring,
  systemInterface: (name: string) => SystemInterface,
  known: readonly Link[] = [],
): { links: Link[]; addresses: LinkAddress[]; routes: GatewayRoute[] } {
  const links: Link[] = [];
  const addresses: LinkAddress[] = [];
  for (const { name, vlan = 0, addresses: texts } of wiring.interfaces) {
    const { index, mtu, mac, carriesTrains = false } = systemInterface(name);
    const before = known.find((it) => it.index === index && it.name === name && it.vlan === vlan);
    const link = before ?? { index, name, mtu, vlan, mac: ownMac(mac), carriesTrains };
    link.mtu = mtu;
    links.push(link);
    addresses.push(...texts.map((text) => readAddress(link, text)));
  }
  const [first] = links;
  for (const text of wiring.virtualAddresses) {
    const address = IpAddress.parse(text);
    if (addresses.some((it) => it.address.equals(address))) continue;
    const near = addresses.find((it) => new Prefix(it.address, it.prefixLength).contains(address));
    const link = near?.link ?? first;
    if (link !== undefined) {
      addresses.push({ link, address, prefixLength: address.family === 4 ? 32 : 128 });
    }
  }
  return { links, addresses, routes: wiring.routes.map((route) => readRoute(route, addresses)) };
}

/**
 * An Ethernet address of the engine's own: locally administered, and the same after a restart, so that nobody's memory of it
 * goes stale.
 */
export function ownMac(mac: Uint8Array): Uint8Array {
  const own = mac.slice(0, MAC_BYTES);
  own[0] = (((own[0] ?? 0) ^ 0x40) | 0x02) & 0xfe;
  own[1] = (own[1] ?? 0) ^ 0x5a;
  return own;
}

function readAddress(link: Link, text: string): LinkAddress {
  const [head = "", bits] = text.split("/");
  const address = IpAddress.parse(head);
  const prefixLength = bits === undefined ? Prefix.parse(head).length : Prefix.parse(text).length;
  return { link, address, prefixLength };
}

function readRoute({ to, via }: WiredRoute, addresses: readonly LinkAddress[]): GatewayRoute {
  const gateway = IpAddress.parse(via);
  const near = addresses.find((it) => new Prefix(it.address, it.prefixLength).contains(gateway));
  if (near === undefined) {
    throw new ValueError(
      "ROUTE_UNREACHABLE",
      `the router ${via} is in no network of the director's interfaces; give an interface an address beside it`,
      { value: via },
    );
  }
  return { prefix: Prefix.parse(to), link: near.link, gateway };
}
