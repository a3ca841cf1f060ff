/**
 * The kernel's routes from /proc/net/route and /proc/net/ipv6_route.
 *
 * @module
 */
import { IpAddress } from "../net/address.ts";
import { Prefix } from "../net/prefix.ts";
import type { HostRoute } from "./host.ts";

interface Route extends HostRoute {
  readonly to: Prefix;
  readonly metric: number;
}

/** RTF_UP and RTF_REJECT of linux/route.h. */
const FLAG = { up: 0x1, reject: 0x200 } as const;

/**
 * The route that a packet takes: the longest prefix, then the smallest metric. Rules of `ip rule` are not looked at.
 *
 * @param ipv4 text of /proc/net/route
 * @param ipv6 text of /proc/net/ipv6_route
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { IpAddress } from "../net/address.ts";
 *
 * const table = "Iface Destination Gateway Flags RefCnt Use Metric Mask\neth0 00000000 010200C0 0003 0 0 0 00000000";
 * const route = findRoute(IpAddress.parse("10.0.0.1"), table, "");
 * assert.equal(String(route?.gateway), "192.0.2.1");
 * ```
 */
export function findRoute(to: IpAddress, ipv4: string, ipv6: string): HostRoute | undefined {
  const routes = to.family === 4 ? ipv4Routes(ipv4) : ipv6Routes(ipv6);
  const fitting = routes.filter((it) => it.to.contains(to));
  fitting.sort((a, b) => b.to.length - a.to.length || a.metric - b.metric);
  return fitting[0];
}

function ipv4Routes(text: string): Route[] {
  return text.split("\n").slice(1).flatMap((line) => {
    const [link = "", to = "", gateway = "", flags = "", , , metric = "0", mask = ""] = line.trim().split(
      /\s+/,
    );
    if (!isUsable(flags) || mask === "") return [];
    const length = bitsOf(swapped(mask));
    return [{
      interface: link,
      gateway: gateway === "00000000" ? undefined : IpAddress.ipv4(swapped(gateway)),
      to: new Prefix(IpAddress.ipv4(swapped(to)), length),
      metric: Number(metric),
    }];
  });
}

function ipv6Routes(text: string): Route[] {
  return text.split("\n").flatMap((line) => {
    const [to = "", length = "", , , gateway = "", metric = "", , , flags = "", link = ""] = line.trim()
      .split(
        /\s+/,
      );
    if (!isUsable(flags)) return [];
    const address = ipv6Of(gateway);
    return [{
      interface: link,
      gateway: address.isUnspecified ? undefined : address,
      to: new Prefix(ipv6Of(to), parseInt(length, 16)),
      metric: parseInt(metric, 16),
    }];
  });
}

function isUsable(flags: string): boolean {
  const bits = parseInt(flags, 16);
  return (bits & FLAG.up) !== 0 && (bits & FLAG.reject) === 0;
}

/** A little-endian word in hexadecimal digits. */
function swapped(hex: string): number {
  const word = parseInt(hex, 16);
  return ((word & 0xff) << 24 | (word & 0xff00) << 8 | (word >>> 8) & 0xff00 | word >>> 24) >>> 0;
}

function bitsOf(mask: number): number {
  return mask === 0 ? 0 : 32 - Math.log2((~mask >>> 0) + 1);
}

function ipv6Of(hex: string): IpAddress {
  const words = [0, 8, 16, 24].map((at) => parseInt(hex.slice(at, at + 8) || "0", 16));
  return new IpAddress(6, Uint32Array.from(words));
}
