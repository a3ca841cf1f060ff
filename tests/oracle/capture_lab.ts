/**
 * The network in which the packets were captured: client, director, three real servers; see each capture's steps for the
 * rest.
 *
 * @module
 */
import type { Link, LinkAddress } from "../../engines/packet/links.ts";
import { IpAddress } from "../../net/address.ts";
import { parseMac } from "../../packet/ethernet.ts";

/** The director's interfaces by name. */
export const DIRECTOR_MACS: Readonly<Record<string, string>> = {
  d0: "02:00:00:00:d0:00",
  d1: "02:00:00:00:d0:01",
};

const ADDRESSES: readonly [link: string, address: string, prefixLength: number][] = [
  ["d0", "10.1.0.1", 24],
  ["d0", "10.1.0.100", 32],
  ["d0", "fd00:1::1", 64],
  ["d0", "fd00:1::100", 128],
  ["d1", "172.16.0.1", 24],
  ["d1", "fd00:2::1", 64],
];

/** Hosts that the director need not ask for: their entries were made by hand, or kept fresh by what went before. */
const NEIGHBOURS: readonly [link: string, address: string, mac: string][] = [
  ["d0", "10.1.0.10", "02:00:00:00:c0:00"],
  ["d0", "fd00:1::10", "02:00:00:00:c0:00"],
  ["d1", "172.16.0.10", "02:00:00:00:c0:01"],
  ["d1", "fd00:2::10", "02:00:00:00:c0:01"],
  ...[11, 12, 13].flatMap((host): [string, string, string][] => [
    ["d1", `172.16.0.${host}`, `02:00:00:00:00:${host}`],
    ["d1", `fd00:2::${host}`, `02:00:00:00:00:${host}`],
  ]),
];

/** The director's links as they are before the first step. */
export function labLinks(): Link[] {
  return Object.entries(DIRECTOR_MACS).map(([name, mac], i) => ({
    index: i + 1,
    name,
    mac: bytesOf(mac),
    mtu: 1_500,
    vlan: 0,
  }));
}

export function labAddresses(links: readonly Link[]): LinkAddress[] {
  return ADDRESSES.map(([name, address, prefixLength]) => ({
    link: linkOf(links, name),
    address: IpAddress.parse(address),
    prefixLength,
  }));
}

/** Who is known from the start. */
export function labNeighbours(links: readonly Link[]): { link: Link; address: IpAddress; mac: Uint8Array }[] {
  return NEIGHBOURS.map(([name, address, mac]) => ({
    link: linkOf(links, name),
    address: IpAddress.parse(address),
    mac: bytesOf(mac),
  }));
}

/** Whether an address is one of the director's. */
export function isDirectorAddress(address: IpAddress): boolean {
  return ADDRESSES.some(([, own]) => IpAddress.parse(own).equals(address));
}

function linkOf(links: readonly Link[], name: string): Link {
  const link = links.find((it) => it.name === name);
  if (link === undefined) throw new Error(`the lab has no ${name}`);
  return link;
}

function bytesOf(mac: string): Uint8Array {
  const bytes = parseMac(mac);
  if (bytes === undefined) throw new Error(`${mac} is no MAC`);
  return bytes;
}
