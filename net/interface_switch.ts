/**
 * Names of the kernel's switches of one interface, for sysctl(8).
 *
 * @module
 */

/**
 * `net.ipv4.conf.eth0.arp_ignore`. A dot in the interface's name, as VLANs have it, is written as a slash: sysctl(8) would take
 * it for a folder.
 *
 * @param link an interface, `all` or `default`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(interfaceSwitchName("eth0.100", "rp_filter"), "net.ipv4.conf.eth0/100.rp_filter");
 * assert.equal(switchPath("net.ipv4.conf.eth0/100.rp_filter"), "/proc/sys/net/ipv4/conf/eth0.100/rp_filter");
 * ```
 */
export function interfaceSwitchName(link: string, name: string): string {
  return `net.ipv4.conf.${link.replaceAll(".", "/")}.${name}`;
}

/** The file of a switch. */
export function switchPath(name: string): string {
  return `/proc/sys/${name.replace(/[./]/g, (it) => it === "." ? "/" : ".")}`;
}
