/**
 * The lab's network: a client, a director, three real servers, a switch, each a network namespace.
 *
 * @module
 */
import { inside, must, run } from "./command.ts";

export type LabMode = "nat" | "dr" | "tun";
export const LAB_MODES: readonly LabMode[] = ["nat", "dr", "tun"];

export const SERVERS = ["rs1", "rs2", "rs3"] as const;
const HOSTS = ["client", "director", "switch", ...SERVERS] as const;
export type LabHost = typeof HOSTS[number];

export const ADDRESS = {
  virtual4: "10.1.0.100",
  virtual6: "fd00:1::100",
  client4: "10.1.0.10",
  client6: "fd00:1::10",
  director4: "172.16.0.1",
  director6: "fd00:2::1",
} as const;

/** With DR this one is set up with plain commands, the others by `lvsd realserver`. */
const BY_HAND = "rs3";

/** Real servers that `lvsd realserver` sets up. */
export function serversOfOurs(mode: LabMode): readonly string[] {
  return mode === "nat" ? [] : SERVERS.filter((it) => mode === "tun" || it !== BY_HAND);
}

/** Last part of a real server's addresses. */
export function serverNumber(server: string): number {
  return 10 + Number(server.slice(2));
}

/** Name of a host's namespace. `LVSD_LAB` names the lab, so that two can stand side by side. */
export function namespaceOf(host: string): string {
  return `${Deno.env.get("LVSD_LAB") ?? "lvsd"}-${host}`;
}

/** What the lab looks like, for people. */
export function drawTopology(mode: LabMode): string {
  const back = mode === "nat"
    ? "replies: real server -> director -> client"
    : "replies: real server -> client's second leg (c1), past the director";
  return [
    "  client                 director                      real servers",
    "  c0 10.1.0.10  -------  d0 10.1.0.1",
    "     fd00:1::10          VIP 10.1.0.100, fd00:1::100",
    "                         d1 172.16.0.1 ----+---------  rs1 172.16.0.11  fd00:2::11",
    "                            fd00:2::1      |           rs2 172.16.0.12  fd00:2::12",
    "  c1 172.16.0.10  ------------------------ + (switch)  rs3 172.16.0.13  fd00:2::13",
    `  mode ${mode}; ${back}`,
  ].join("\n");
}

/** Builds everything but the processes. */
export async function buildTopology(mode: LabMode): Promise<void> {
  await removeTopology();
  for (const host of HOSTS) {
    await must(["ip", "netns", "add", namespaceOf(host)]);
    await must(inside(namespaceOf(host), ["ip", "link", "set", "lo", "up"]));
  }
  await must(
    inside(namespaceOf("switch"), ["ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0"]),
  );
  await must(inside(namespaceOf("switch"), ["ip", "link", "set", "br0", "up"]));
  await connect("client", "c0", "director", "d0");
  await plug("client", "c1");
  await plug("director", "d1");
  for (const server of SERVERS) await plug(server, "eth0");
  await addresses(mode);
}

/** Takes everything down; harmless when there is nothing. */
export async function removeTopology(): Promise<void> {
  for (const host of HOSTS) {
    const pids = await run(["ip", "netns", "pids", namespaceOf(host)]);
    for (const pid of pids.stdout.split("\n").filter((it) => it !== "")) await run(["kill", "-9", pid]);
    await run(["ip", "netns", "del", namespaceOf(host)]);
  }
}

/** Whether the lab is up. */
export async function isUp(): Promise<boolean> {
  return (await must(["ip", "netns", "list"])).includes(namespaceOf("director"));
}

async function connect(a: string, aLink: string, b: string, bLink: string): Promise<void> {
  const [here, there] = [namespaceOf(a), namespaceOf(b)];
  await must(
    inside(here, ["ip", "link", "add", aLink, "type", "veth", "peer", "name", bLink, "netns", there]),
  );
  await must(inside(here, ["ip", "link", "set", aLink, "up"]));
  await must(inside(there, ["ip", "link", "set", bLink, "up"]));
}

async function plug(host: string, link: string): Promise<void> {
  const port = `${host}-${link}`;
  await connect(host, link, "switch", port);
  await must(inside(namespaceOf("switch"), ["ip", "link", "set", port, "master", "br0"]));
}

async function addresses(mode: LabMode): Promise<void> {
  const on = async (host: string, ...commands: string[]) => {
    for (const command of commands) await must(inside(namespaceOf(host), command.split(" ")));
  };
  await on(
    "client",
    "ip addr add 10.1.0.10/24 dev c0",
    "ip -6 addr add fd00:1::10/64 dev c0 nodad",
    "ip addr add 172.16.0.10/24 dev c1",
    "ip -6 addr add fd00:2::10/64 dev c1 nodad",
    "sysctl -qw net.ipv4.conf.all.rp_filter=0",
    "sysctl -qw net.ipv4.conf.c1.rp_filter=0",
  );
  for (const server of SERVERS) {
    const number = serverNumber(server);
    const back = mode === "nat" ? ["172.16.0.1", "fd00:2::1"] : ["172.16.0.10", "fd00:2::10"];
    await on(
      server,
      `ip addr add 172.16.0.${number}/24 dev eth0`,
      `ip -6 addr add fd00:2::${number}/64 dev eth0 nodad`,
      `ip route add 10.1.0.0/24 via ${back[0]}`,
      `ip -6 route add fd00:1::/64 via ${back[1]}`,
    );
    if (mode !== "dr" || server !== BY_HAND) continue;
    await on(
      server,
      "sysctl -qw net.ipv4.conf.all.arp_ignore=1",
      "sysctl -qw net.ipv4.conf.eth0.arp_ignore=1",
      "sysctl -qw net.ipv4.conf.all.arp_announce=2",
      "sysctl -qw net.ipv4.conf.eth0.arp_announce=2",
      `ip addr add ${ADDRESS.virtual4}/32 dev lo`,
      `ip -6 addr add ${ADDRESS.virtual6}/128 dev lo nodad`,
    );
  }
}
