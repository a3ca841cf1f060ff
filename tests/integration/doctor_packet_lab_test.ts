/** Faults in a lab with real packets: NAT to rs1, DR to rs2, TUN to rs3, and a DR service on the servers' own segment. */
import { join } from "node:path";
import { inside, run } from "../../scripts/lab/command.ts";
import { ADDRESS, namespaceOf } from "../../scripts/lab/topology.ts";
import { LabDaemon, labTest, lvsd, onHost, PACKET_SECTION } from "./lab_daemon.ts";
import { installLvsd, type LabFault, type LabScene, play } from "./lab_faults.ts";

const SEGMENT_VIP = "172.16.0.100";
/** All rows; without it every second one, which keeps the gate short. */
const PROOF = Deno.env.get("LVSD_PROOF") !== undefined;
const EXCHANGES = 3;
/** SYN, ACK, the request, and the end: a client that reaches the server by itself sends the director less. */
const LEAST_PACKETS = 4;

const SERVICES = {
  nat: { address: ADDRESS.virtual4, port: 8_080, server: "rs1", mode: "nat", real: "172.16.0.11:80" },
  dr: { address: ADDRESS.virtual4, port: 80, server: "rs2", mode: "dr", real: "172.16.0.12" },
  segment: { address: SEGMENT_VIP, port: 80, server: "rs2", mode: "dr", real: "172.16.0.12" },
  tun: { address: ADDRESS.virtual4, port: 81, server: "rs3", mode: "tun", real: "172.16.0.13" },
} as const;

const CONFIG = {
  admin: { socket: "off" },
  packet: PACKET_SECTION,
  services: Object.entries(SERVICES).map(([name, { address, port, mode, real }]) => ({
    name,
    listen: `${address}:${port}`,
    mode,
    engine: "packet",
    healthCheck: "off",
    passive: "off",
    destinations: [real],
  })),
};

const ALL = "net.ipv4.conf.all";
const ETH = "net.ipv4.conf.eth0";
const UPLOAD = "upload";

const FAULTS: readonly LabFault[] = [
  {
    ...{ id: "arp-ignore", service: "segment", at: "rs2", ask: "rs2" },
    break: `sysctl -qw ${ALL}.arp_ignore=0 ${ETH}.arp_ignore=0`,
  },
  {
    ...{ id: "vip-answered-elsewhere", service: "segment", at: "rs2", ask: "director" },
    break: `sysctl -qw ${ALL}.arp_ignore=0 ${ETH}.arp_ignore=0`,
  },
  {
    ...{ id: "arp-announce", service: "segment", at: "rs2", ask: "rs2" },
    break: `sysctl -qw ${ALL}.arp_announce=0 ${ETH}.arp_announce=0`,
  },
  {
    ...{ id: "vip-on-segment", service: "segment", at: "rs2", ask: "rs2" },
    break: `ip addr del ${SEGMENT_VIP}/32 dev lo && ip addr add ${SEGMENT_VIP}/24 dev eth0`,
  },
  {
    ...{ id: "vip-prefix", service: "segment", at: "rs2", ask: "rs2" },
    break: `ip addr del ${SEGMENT_VIP}/32 dev lo && ip addr add ${SEGMENT_VIP}/24 dev lo`,
  },
  {
    ...{ id: "vip-not-on-lo", service: "dr", at: "rs2", ask: "rs2" },
    break: `ip addr del ${ADDRESS.virtual4}/32 dev lo`,
  },
  {
    ...{ id: "no-default-route", service: "dr", at: "rs2", ask: "rs2" },
    break: "ip route del 10.1.0.0/24",
  },
  {
    ...{ id: "vip-on-host", service: "dr", at: "director", ask: "director" },
    break: `ip addr add ${ADDRESS.virtual4}/32 dev lo`,
  },
  { id: "link-down", service: "dr", at: "director", ask: "director", break: "ip link set d1 down" },
  { id: "link-down", service: "segment", at: "director", ask: "director", break: "ip link set d1 down" },
  {
    ...{ id: "rp-filter", service: "tun", at: "rs3", ask: "rs3" },
    break: `sysctl -qw ${ALL}.rp_filter=1`,
  },
  {
    ...{ id: "rp-filter", service: "tun", at: "rs3", ask: "rs3" },
    break: "sysctl -qw net.ipv4.conf.lvsd0.rp_filter=1",
  },
  { id: "tunnel-down", service: "tun", at: "rs3", ask: "rs3", break: "ip link set lvsd0 down" },
  {
    ...{ id: "vip-not-on-lo", service: "tun", at: "rs3", ask: "rs3" },
    break: `ip addr del ${ADDRESS.virtual4}/32 dev lo`,
  },
  { id: "tunnel-missing", service: "tun", at: "rs3", ask: "rs3", break: "" },
  {
    ...{ id: "mtu-room", service: UPLOAD, at: "client", ask: "director" },
    break: "nft add table ip hole && nft add chain ip hole in '{ type filter hook input priority 0; }' && " +
      "nft add rule ip hole in icmp type destination-unreachable drop && ip route flush cache",
  },
  {
    ...{ id: "nat-gateway", service: "nat", at: "rs1", ask: "rs1" },
    break: "ip route replace default via 172.16.0.10",
  },
  { id: "nat-gateway", service: "nat", at: "rs1", ask: "rs1", break: "ip route del default" },
];

class PacketScene implements LabScene {
  readonly folder: string;
  readonly #daemon: LabDaemon;

  constructor(folder: string, daemon: LabDaemon) {
    this.folder = folder;
    this.#daemon = daemon;
  }

  async flows(name: string): Promise<boolean> {
    const service = name === UPLOAD ? "tun" : name as keyof typeof SERVICES;
    const { address, port, server } = SERVICES[service];
    const before = (await this.#daemon.service(service)).counters;
    const url = `http://${address}:${port}`;
    for (let i = 0; i < EXCHANGES; i++) {
      // Who is where has to be asked each time: what a client once learned would hide a fault, or its end.
      for (const host of ["client", server]) await onHost(host, "ip neigh flush all");
      const words = name === UPLOAD ? ["-T", join(this.folder, "big"), `${url}/upload/big`] : [`${url}/who`];
      const curl = ["curl", "-s", "-f", "--max-time", "1", ...words];
      const { stdout, code } = await run(inside(namespaceOf("client"), curl));
      if (code !== 0 || (name !== UPLOAD && !stdout.startsWith(`${server} `))) return false;
    }
    const after = (await this.#daemon.service(service)).counters;
    return after.connections - before.connections >= EXCHANGES &&
      after.packetsIn - before.packetsIn >= EXCHANGES * LEAST_PACKETS;
  }

  question(host: string, name: string): readonly string[] {
    const config = ["-c", join(this.folder, "lvsd.yaml")];
    if (host === "director") return config;
    if (name === "nat") return ["--backend", ...config];
    const { address, mode } = SERVICES[name as keyof typeof SERVICES];
    return ["--backend", "--vip", address, "--mode", mode];
  }

  hostOf(address: string): string {
    return `rs${Number(address.split(".").at(-1)) - 10}`;
  }
}

/** The process that takes tunnel packets apart on rs3. */
async function unwrapper(): Promise<string> {
  const { stdout } = await run(["ip", "netns", "pids", namespaceOf("rs3")]);
  for (const pid of stdout.split("\n").filter((it) => it !== "")) {
    const command = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    if (command.includes("realserver")) return pid;
  }
  throw new Error("lvsd realserver does not run");
}

labTest(
  "doctor, packet lab: each fault is named, and its own command mends it",
  "p",
  "tun",
  async (folder, t) => {
    await installLvsd(folder);
    await Deno.writeTextFile(join(folder, "lvsd.yaml"), JSON.stringify(CONFIG));
    await Deno.writeFile(join(folder, "big"), new Uint8Array(65_536));
    const { virtual4, director4 } = ADDRESS;
    await onHost("rs1", `ip addr del ${virtual4}/32 dev lo && ip route del 10.1.0.0/24`);
    await onHost("rs1", `ip route add default via ${director4}`);
    await onHost("rs2", `ip addr add ${SEGMENT_VIP}/32 dev lo`);
    await onHost("rs3", "sysctl -qw net.ipv4.conf.default.rp_filter=0");
    await onHost("rs3", "socat TCP-LISTEN:81,fork,reuseaddr TCP:127.0.0.1:80 </dev/null >/dev/null 2>&1 &");
    // A segment that would carry larger packets: only the director's own leg does not.
    await onHost(
      "switch",
      "for it in $(ls /sys/class/net | grep -); do ip link set $it mtu 1600; done; ip link set br0 mtu 1600",
    );
    await onHost("rs3", "ip link set eth0 mtu 1600");
    await using daemon = await LabDaemon.start(lvsd("run", "-c", join(folder, "lvsd.yaml")));
    await daemon.ready();
    const scene = new PacketScene(folder, daemon);
    for (const [i, fault] of FAULTS.entries()) {
      if (!PROOF && i % 2 === 1) continue;
      const how = fault.id === "tunnel-missing" ? { ...fault, break: `kill -9 ${await unwrapper()}` } : fault;
      await t.step(`${i + 1}. ${fault.service}: ${fault.id}`, () => play(how, scene));
    }
  },
);
