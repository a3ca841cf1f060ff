/**
 * The edge of the MTU: packets of every size around it. Nothing may vanish: what fits arrives, what does not is cut up, or its
 * sender is told how much does.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SystemError } from "../../errors.ts";
import type { CheckLine } from "./checks.ts";
import { inside, must, run } from "./command.ts";
import type { DirectorProcess } from "./director_process.ts";
import type { ProbeResult } from "./mtu_probe.ts";
import { serverPorts } from "./servers.ts";
import { ADDRESS, type LabMode, namespaceOf, serverNumber } from "./topology.ts";

const PROBE = fileURLToPath(new URL("./mtu_probe.ts", import.meta.url));
const ECHO = fileURLToPath(new URL("./udp_echo.ts", import.meta.url));
const ECHO_PORT = 5_007;
const SERVER = "rs1";
const MTU = { usual: 1_500, narrow: 1_450 } as const;
/** Every one of these in a proof; else those around the edge. */
const SIZES = { first: 1_400, last: 1_500 } as const;
const UPLOAD_BYTES = 200_000;
const READY_MS = 50;

/** One way that packets take, and the most bytes that fit. */
interface Edge {
  readonly name: string;
  readonly method: string;
  readonly room: { readonly 4: number; readonly 6: number };
}

/** With TUN the outer headers take their room from 1500; else the director's inner link is narrower than the others. */
const EDGES: Readonly<Record<LabMode, readonly Edge[]>> = {
  nat: [{ name: "nat", method: "-m", room: { 4: MTU.narrow, 6: MTU.narrow } }],
  dr: [{ name: "dr", method: "-g", room: { 4: MTU.narrow, 6: MTU.narrow } }],
  tun: [
    { name: "tun ipip", method: "-i", room: { 4: 1_480, 6: 1_460 } },
    { name: "tun gre", method: "-i --tun-type gre", room: { 4: 1_476, 6: 1_456 } },
    { name: "tun gue", method: "-i --tun-type gue --tun-port 6080", room: { 4: 1_468, 6: 1_448 } },
  ],
};

/** What the director's inner link has to be before its engine starts. */
export async function narrowLink(mode: LabMode): Promise<void> {
  const mtu = mode === "tun" ? MTU.usual : MTU.narrow;
  await must(inside(namespaceOf("director"), ["ip", "link", "set", "d1", "mtu", `${mtu}`]));
  if (mode !== "nat") return;
  // Replies come back over the narrow link; the server says with its MSS that it takes more, so that uploads meet the edge.
  const ways = [["ip", "10.1.0.0/24", "172.16.0.1", "1460"], ["ip -6", "fd00:1::/64", "fd00:2::1", "1440"]];
  for (const [ip = "", network = "", gateway = "", mss = ""] of ways) {
    const words = `${ip} route change ${network} via ${gateway} mtu lock ${mtu} advmss ${mss}`;
    await must(inside(namespaceOf(SERVER), words.split(" ")));
  }
}

/** The checks; `isWhole`: every size. */
export async function* checkMtu(
  director: DirectorProcess,
  mode: LabMode,
  folder: string,
  isWhole: boolean,
): AsyncGenerator<CheckLine> {
  await startEcho(mode, folder);
  for (const edge of EDGES[mode]) {
    await serve(director, mode, edge);
    for (const family of [4, 6] as const) {
      const room = edge.room[family];
      const sizes = sizesAround(room, isWhole);
      yield await checkDatagrams(edge, family, sizes);
      yield await checkUploads(edge, family, sizes, folder);
    }
  }
}

function sizesAround(room: number, isWhole: boolean): number[] {
  if (!isWhole) return [SIZES.first, room - 1, room, room + 1, SIZES.last];
  return Array.from({ length: SIZES.last - SIZES.first + 1 }, (_, i) => SIZES.first + i);
}

/** One real server, so that each datagram goes the same way. */
async function serve(director: DirectorProcess, mode: LabMode, { method }: Edge): Promise<void> {
  await director.ipvsadm("-C");
  const number = serverNumber(SERVER);
  for (const family of [4, 6] as const) {
    const address = family === 4 ? ADDRESS.virtual4 : `[${ADDRESS.virtual6}]`;
    const real = family === 4 ? `172.16.0.${number}` : `[fd00:2::${number}]`;
    const ports = [["-t", 80, serverPorts(mode).http], ["-u", ECHO_PORT, ECHO_PORT]];
    for (const [option, port, to] of ports) {
      await director.ipvsadm(`-A ${option} ${address}:${port} -s rr`);
      await director.ipvsadm(`-a ${option} ${address}:${port} -r ${real}:${to} ${method}`);
    }
  }
}

/** With DF: echoed while it fits, else told exactly how much does. Without: always echoed. */
async function checkDatagrams(edge: Edge, family: 4 | 6, sizes: readonly number[]): Promise<CheckLine> {
  const address = family === 4 ? ADDRESS.virtual4 : ADDRESS.virtual6;
  const text = await must(inside(namespaceOf("client"), [
    ...[Deno.execPath(), "run", "-A", PROBE, address, `${ECHO_PORT}`],
    ...sizes.map(String),
  ]));
  const results = JSON.parse(text) as ProbeResult[];
  const room = edge.room[family];
  const wrong = results.find(({ size, unbreakable, breakable }) =>
    breakable !== "echoed" || unbreakable !== (size <= room ? "echoed" : `told ${room}`)
  );
  const what = `${edge.name} UDP IPv${family}: ${results.length} sizes around ${room}, with DF and without`;
  if (wrong === undefined && results.length === sizes.length) return { what };
  return { what, problem: JSON.stringify(wrong ?? results) };
}

/** TCP whose sender's link has each of these MTUs: it gets through, whatever it has to learn. */
async function checkUploads(
  edge: Edge,
  family: 4 | 6,
  sizes: readonly number[],
  folder: string,
): Promise<CheckLine> {
  const host = family === 4 ? ADDRESS.virtual4 : `[${ADDRESS.virtual6}]`;
  const file = join(folder, "upload.bin");
  const stored = join(folder, SERVER, "upload", "edge.bin");
  const what = `${edge.name} TCP IPv${family}: uploads from ${sizes.length} sizes of link around ${
    edge.room[family]
  }`;
  await must(["dd", "if=/dev/urandom", `of=${file}`, `bs=${UPLOAD_BYTES}`, "count=1", "status=none"]);
  const onClient = (words: readonly string[]) => run(inside(namespaceOf("client"), words));
  for (const size of sizes) {
    await onClient(["ip", "link", "set", "c0", "mtu", `${size}`]);
    await onClient(["ip", "route", "flush", "cache"]);
    await onClient(["ip", "-6", "route", "flush", "cache"]);
    const url = `http://${host}/upload/edge.bin`;
    const upload = await onClient(["curl", "-sg", "--max-time", "20", "-o", "/dev/null", "-T", file, url]);
    const isEqual = (await run(["cmp", file, stored])).code === 0;
    await run(["rm", "-f", stored]);
    if (upload.code !== 0 || !isEqual) {
      return { what, problem: `${size}: curl ${upload.code}, equal: ${isEqual}` };
    }
  }
  await onClient(["ip", "link", "set", "c0", "mtu", `${MTU.usual}`]);
  return { what };
}

/** Bound to what the client asks for: from the wildcard a server would answer with its own address. */
async function startEcho(mode: LabMode, folder: string): Promise<void> {
  const number = serverNumber(SERVER);
  const own = mode === "nat"
    ? [`172.16.0.${number}`, `fd00:2::${number}`]
    : [ADDRESS.virtual4, ADDRESS.virtual6];
  const output = join(folder, "echo.log");
  const words = inside(namespaceOf(SERVER), [
    ...[Deno.execPath(), "run", "-A", "--unstable-net", ECHO, `${ECHO_PORT}`, ...own],
  ]);
  await must(["sh", "-c", `${words.join(" ")} > ${output} 2>&1 &`]);
  for (let tries = 0; tries < 200; tries++) {
    if ((await Deno.readTextFile(output).catch(() => "")).includes("ready")) return;
    await new Promise((resolve) => setTimeout(resolve, READY_MS));
  }
  throw new SystemError("COMMAND_FAILED", `the echo server: ${await Deno.readTextFile(output)}`, {});
}
