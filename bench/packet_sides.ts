/**
 * The two sides of the packets' bench, each in a lab of its own: the kernel in the middle, and lvsd in the middle. Both stand
 * at the same time, so that their runs can take turns.
 *
 * @module
 */
import { inside, must, run } from "../scripts/lab/command.ts";
import { DirectorProcess } from "../scripts/lab/director_process.ts";
import { startServers } from "../scripts/lab/servers.ts";
import {
  ADDRESS,
  buildTopology,
  type LabMode,
  namespaceOf,
  removeTopology,
} from "../scripts/lab/topology.ts";

const IPERF_PORT = 5_201;
const OPTION: Readonly<Record<LabMode, string>> = { nat: "-m", dr: "-g", tun: "-i" };
const REAL_SERVER = "172.16.0.11";
const LISTEN_MS = 300;
/** Of `/proc/PID/stat`. */
const TICK_MS = 10;

/** One of the two labs. */
export interface PacketSide {
  readonly name: "kernel" | "lvsd";
  /** Where the client sends to, and where nginx is reached there. */
  readonly host: string;
  readonly webPort: number;
  /** Processor time of lvsd's processes so far: the director, and with TUN the real server's end of the tunnel. */
  readonly processorMs: () => Promise<{ readonly director: number; readonly tunnelEnd: number }>;
  /** Runs a program on the client; what it wrote. */
  readonly onClient: (words: readonly string[]) => Promise<string>;
  readonly takeDown: () => Promise<void>;
}

/** For NAT nftables' DNAT; for DR and TUN plain forwarding, for the kernel here has no IPVS. */
export async function buildKernelSide(mode: LabMode, folder: string): Promise<PacketSide> {
  const lab = enter(`lvsd${Deno.pid}k`);
  await buildTopology("nat");
  await freePorts();
  await startServers("nat", await subfolder(folder, `kernel-${mode}`));
  const director = (command: string) => must(inside(namespaceOf("director"), command.split(" ")));
  for (
    const command of [
      "ip addr add 10.1.0.1/24 dev d0",
      `ip addr add ${ADDRESS.virtual4}/32 dev d0`,
      `ip addr add ${ADDRESS.director4}/24 dev d1`,
      "sysctl -qw net.ipv4.ip_forward=1",
    ]
  ) await director(command);
  if (mode === "nat") await translateInKernel();
  else {
    const route = ["ip", "route", "add", `${REAL_SERVER}/32`, "via", "10.1.0.1"];
    await must(inside(namespaceOf("client"), route));
  }
  await listen([]);
  const isNat = mode === "nat";
  return {
    name: "kernel",
    host: isNat ? ADDRESS.virtual4 : REAL_SERVER,
    webPort: isNat ? 80 : 8_080,
    processorMs: () => Promise.resolve({ director: 0, tunnelEnd: 0 }),
    onClient: clientOf(lab),
    takeDown: () => takeDown(lab),
  };
}

/** @param tunnel options of `ipvsadm` for TUN, such as `--tun-type gue --tun-port 6080` */
export async function buildLvsdSide(mode: LabMode, folder: string, tunnel: string): Promise<PacketSide> {
  const lab = enter(`lvsd${Deno.pid}l`);
  await buildTopology(mode);
  await freePorts();
  await startServers(mode, await subfolder(folder, `lvsd-${mode}`));
  const director = await DirectorProcess.start();
  const web = mode === "nat" ? 8_080 : 80;
  const ports = [["-t", IPERF_PORT, IPERF_PORT], ["-u", IPERF_PORT, IPERF_PORT], ["-t", 80, web]] as const;
  for (const [protocol, port, to] of ports) {
    const service = `${protocol} ${ADDRESS.virtual4}:${port}`;
    const method = mode === "tun" ? `${OPTION.tun} ${tunnel}`.trim() : OPTION[mode];
    await director.ipvsadm(`-A ${service} -s rr`);
    await director.ipvsadm(`-a ${service} -r ${REAL_SERVER}:${to} ${method}`);
  }
  // Bound to all addresses it would answer DR's datagrams from another one.
  await listen(mode === "nat" ? [] : ["-B", ADDRESS.virtual4]);
  const tunnelEnd = mode === "tun" ? await realServerProcess() : undefined;
  return {
    name: "lvsd",
    host: ADDRESS.virtual4,
    webPort: 80,
    processorMs: async () => ({
      // "ip netns exec" becomes the program that it runs.
      director: await processorMs(director.pid),
      tunnelEnd: tunnelEnd === undefined ? 0 : await processorMs(tunnelEnd),
    }),
    onClient: clientOf(lab),
    takeDown: async () => {
      enter(lab);
      await director.stop();
      await takeDown(lab);
    },
  };
}

/** A client whose ports wait in TIME_WAIT for 60 s could open 470 connections a second and no more. */
async function freePorts(): Promise<void> {
  for (const setting of ["net.ipv4.tcp_tw_reuse=1", "net.ipv4.ip_local_port_range=1024 65000"]) {
    await must(inside(namespaceOf("client"), ["sysctl", "-qw", setting]));
  }
}

async function translateInKernel(): Promise<void> {
  const rules = [
    "table ip lab {",
    "chain pre {",
    "type nat hook prerouting priority dstnat;",
    `ip daddr ${ADDRESS.virtual4} tcp dport 80 dnat to ${REAL_SERVER}:8080`,
    `ip daddr ${ADDRESS.virtual4} dnat to ${REAL_SERVER}`,
    "}",
    "}",
    "",
  ].join("\n");
  await must(inside(namespaceOf("director"), ["nft", "-f", "-"]), rules);
}

async function listen(bound: readonly string[]): Promise<void> {
  await must(inside(namespaceOf("rs1"), ["iperf3", "-s", "-D", "-p", `${IPERF_PORT}`, ...bound]));
  await new Promise((resolve) => setTimeout(resolve, LISTEN_MS));
}

/** The lab's functions name namespaces by this. */
function enter(lab: string): string {
  Deno.env.set("LVSD_LAB", lab);
  return lab;
}

function clientOf(lab: string): PacketSide["onClient"] {
  return async (words) => {
    enter(lab);
    return (await run(inside(namespaceOf("client"), words))).stdout;
  };
}

async function takeDown(lab: string): Promise<void> {
  enter(lab);
  await removeTopology();
}

async function subfolder(folder: string, name: string): Promise<string> {
  const path = `${folder}/${name}`;
  await Deno.mkdir(path);
  await Deno.chmod(path, 0o755);
  return path;
}

/** `lvsd realserver` of the server that is measured. */
async function realServerProcess(): Promise<number> {
  const pids = (await must(["ip", "netns", "pids", namespaceOf("rs1")])).split("\n").filter((it) =>
    it !== ""
  );
  for (const pid of pids) {
    if ((await Deno.readTextFile(`/proc/${pid}/cmdline`)).includes("realserver")) return Number(pid);
  }
  throw new Error("lvsd realserver is not running in the real server's namespace");
}

async function processorMs(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.split(") ")[1]?.split(" ") ?? [];
  // User and system time, fields 14 and 15 of the whole line.
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
