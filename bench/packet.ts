/**
 * The packet engine beside the kernel, on the same topology in the same run: uploads and downloads of one TCP connection, new
 * connections, and small datagrams. Root, iperf3 and curl.
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

const PORT = 5_201;
const SECONDS = 4;
const CONNECTIONS = 400;
/** With UDP, IPv4 and Ethernet a frame of 64 bytes, checksum of the frame included. */
const SMALL_BYTES = 18;
const OPTION: Readonly<Record<LabMode, string>> = { nat: "-m", dr: "-g", tun: "-i" };

/** What one side carried. */
interface Figures {
  readonly upload: number;
  readonly download: number;
  readonly connections: number;
  readonly packets: number;
}

if (import.meta.main) await main();

async function main(): Promise<void> {
  Deno.env.set("LVSD_LAB", `lvsd${Deno.pid}b`);
  const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
  await must(["chmod", "755", folder]);
  print("mode  side    upload Gbit/s  download Gbit/s  connections/s  64-byte packets/s");
  try {
    for (const mode of ["nat", "dr", "tun"] as const) {
      const kernel = await measureKernel(mode, folder);
      const lvsd = await measureLvsd(mode, folder);
      row(mode, "kernel", kernel);
      row(mode, "lvsd", lvsd);
      const share = (of: (figures: Figures) => number) => (of(lvsd) / of(kernel)).toFixed(2);
      print(
        `${mode.padEnd(4)}  share   ${share((it) => it.upload).padStart(13)}  ` +
          `${share((it) => it.download).padStart(15)}  ${share((it) => it.connections).padStart(13)}  ` +
          share((it) => it.packets).padStart(17),
      );
    }
  } finally {
    await removeTopology();
    await Deno.remove(folder, { recursive: true });
  }
}

/** For NAT nftables' DNAT; for DR and TUN plain forwarding, for the kernel here has no IPVS. */
async function measureKernel(mode: LabMode, folder: string): Promise<Figures> {
  await buildTopology("nat");
  await startServers("nat", folder);
  const director = (command: string) => must(inside(namespaceOf("director"), command.split(" ")));
  for (
    const command of [
      "ip addr add 10.1.0.1/24 dev d0",
      `ip addr add ${ADDRESS.virtual4}/32 dev d0`,
      "ip addr add 172.16.0.1/24 dev d1",
      "sysctl -qw net.ipv4.ip_forward=1",
    ]
  ) await director(command);
  if (mode === "nat") {
    const rules = [
      "table ip lab {",
      "chain pre {",
      "type nat hook prerouting priority dstnat;",
      `ip daddr ${ADDRESS.virtual4} tcp dport 80 dnat to 172.16.0.11:8080`,
      `ip daddr ${ADDRESS.virtual4} dnat to 172.16.0.11`,
      "}",
      "}",
      "",
    ].join("\n");
    await must(inside(namespaceOf("director"), ["nft", "-f", "-"]), rules);
    return await measure(ADDRESS.virtual4, 80);
  }
  const route = ["ip", "route", "add", "172.16.0.11/32", "via", "10.1.0.1"];
  await must(inside(namespaceOf("client"), route));
  return await measure("172.16.0.11", 8_080);
}

async function measureLvsd(mode: LabMode, folder: string): Promise<Figures> {
  await buildTopology(mode);
  await startServers(mode, folder);
  const director = await DirectorProcess.start();
  try {
    const web = mode === "nat" ? 8_080 : 80;
    for (const [protocol, port, to] of [["-t", PORT, PORT], ["-u", PORT, PORT], ["-t", 80, web]] as const) {
      const service = `${protocol} ${ADDRESS.virtual4}:${port}`;
      await director.ipvsadm(`-A ${service} -s rr`);
      await director.ipvsadm(`-a ${service} -r 172.16.0.11:${to} ${OPTION[mode]}`);
    }
    return await measure(ADDRESS.virtual4, 80, mode === "nat" ? [] : ["-B", ADDRESS.virtual4]);
  } finally {
    await director.stop();
  }
}

/** @param bound address of the server; bound to all it would answer DR's datagrams from another one */
async function measure(host: string, webPort: number, bound: readonly string[] = []): Promise<Figures> {
  await must(inside(namespaceOf("rs1"), ["iperf3", "-s", "-D", "-p", `${PORT}`, ...bound]));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const upload = await iperf(host, []);
  const download = await iperf(host, ["-R"]);
  const began = performance.now();
  const urls = Array.from({ length: CONNECTIONS }, () => `http://${host}:${webPort}/who`);
  const answers = await run(inside(namespaceOf("client"), ["curl", "-s", "--max-time", "20", ...urls]));
  const connected = answers.stdout.split("\n").filter((it) => it !== "").length;
  const connections = connected * 1_000 / (performance.now() - began);
  const small = await iperf(host, ["-u", "-b", "0", "-l", `${SMALL_BYTES}`]);
  return {
    upload: upload.received.bits_per_second / 1e9,
    download: download.received.bits_per_second / 1e9,
    connections,
    packets: small.packets,
  };
}

async function iperf(
  host: string,
  options: readonly string[],
): Promise<{ received: { bits_per_second: number }; packets: number }> {
  const words = ["iperf3", "-c", host, "-p", `${PORT}`, "-t", `${SECONDS}`, "-J", ...options];
  const { end } = JSON.parse((await run(inside(namespaceOf("client"), words))).stdout || "{}");
  const sum = end?.sum ?? {};
  const received = end?.sum_received ?? { bits_per_second: NaN };
  const arrived = (sum.packets ?? 0) - (sum.lost_packets ?? 0);
  return { received, packets: arrived / SECONDS };
}

function row(mode: string, side: string, { upload, download, connections, packets }: Figures): void {
  print(
    `${mode.padEnd(4)}  ${side.padEnd(6)}  ${upload.toFixed(2).padStart(13)}  ${
      download.toFixed(2).padStart(15)
    }  ${connections.toFixed(0).padStart(13)}  ${packets.toFixed(0).padStart(17)}`,
  );
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
