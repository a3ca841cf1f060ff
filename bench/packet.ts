/**
 * The packet engine beside the kernel: the same topology twice, both up at the same time, runs taking turns. Uploads and
 * downloads of one TCP connection, new connections, and small datagrams. Root, iperf3, wrk and curl.
 *
 * @module
 */
import { knownName, parseOptions, wholeNumberOption } from "../cli/options.ts";
import { EXIT, SystemError } from "../errors.ts";
import { LAB_MODES, type LabMode } from "../scripts/lab/topology.ts";
import { buildKernelSide, buildLvsdSide, type PacketSide } from "./packet_sides.ts";
import { requirePeer } from "../tests/peers/required_peers.ts";
import { roundProgress } from "./rounds.ts";
import { printLine, runTask, showProgress } from "./task.ts";
import { pairRatios, spread } from "./statistics.ts";

const ROUNDS = 5;
const SECONDS = 3;
/** One after the other. */
const CONNECTIONS = 1_000;
/** As in the other bench: so many at a time. */
const CONNECTIONS_AT_A_TIME = 50;
/** With UDP, IPv4 and Ethernet a frame of 64 bytes, checksum of the frame included. */
const SMALL_BYTES = 18;
const IPERF = ["iperf3", "-p", "5201", "-J"] as const;

/** One figure; higher is better. */
interface PacketFigure {
  readonly title: string;
  readonly measure: (side: PacketSide, seconds: number) => Promise<number>;
}

const FIGURES: Readonly<Record<string, PacketFigure>> = {
  upload: { title: "upload Gbit/s", measure: (side, seconds) => stream(side, seconds, []) },
  download: { title: "download Gbit/s", measure: (side, seconds) => stream(side, seconds, ["-R"]) },
  connections: {
    title: "connections/s, 50 at a time",
    measure: (side, seconds) => connectMany(side, seconds),
  },
  "connections-1": { title: "connections/s, one by one", measure: (side) => connect(side) },
  packets: { title: "64-byte packets/s", measure: (side, seconds) => flood(side, seconds) },
};

const USAGE =
  `usage: deno task bench:packet [--rounds N] [--seconds N] [--figures F,...] [--tunnel OPTIONS] [nat|dr|tun]...
  --rounds N        pairs of runs for each figure, after one that is thrown away (default ${ROUNDS}, at most 100)
  --seconds N       length of a run (default ${SECONDS}, at most 60)
  --figures F,...   ${Object.keys(FIGURES).join(", ")} (default: all)
  --tunnel OPTIONS  ipvsadm's for TUN, such as "--tun-type gue --tun-port 6080" (default: ipip)
  -h, --help        this text

Needs root, iperf3, wrk and curl. Without a mode all three are measured.

Example:
  deno task bench:packet --rounds 3 --figures upload,packets dr
`;

if (import.meta.main) {
  Deno.exitCode = await runTask({ name: "bench:packet", usage: USAGE, run: main }, Deno.args);
}

async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const plan = readPlan(args);
  if (Deno.uid() !== 0) {
    throw new SystemError("NOT_ROOT", "the bench needs root: it makes network namespaces", {});
  }
  for (const peer of ["iperf3", "wrk", "curl"] as const) requirePeer(peer);
  const folder = await Deno.makeTempDir({ prefix: "lvsd-bench-" });
  await Deno.chmod(folder, 0o755);
  printLine("| mode | figure | kernel | lvsd | share (lowest to highest) | director | tunnel's end |");
  printLine("| --- | --- | --- | --- | --- | --- | --- |");
  try {
    for (const mode of plan.modes) {
      const sides: PacketSide[] = [];
      try {
        showProgress(`${mode}: building both sides`);
        sides.push(await buildKernelSide(mode, folder));
        sides.push(await buildLvsdSide(mode, folder, plan.tunnel));
        for (const figure of plan.figures) printLine(await compare(mode, figure, sides, plan, signal));
      } finally {
        for (const side of sides) await side.takeDown();
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return EXIT.ok;
}

interface Plan {
  readonly modes: readonly LabMode[];
  readonly figures: readonly PacketFigure[];
  readonly rounds: number;
  readonly seconds: number;
  readonly tunnel: string;
}

/** @throws {UsageError} for what the usage does not name */
function readPlan(args: readonly string[]): Plan {
  const { values, positionals } = parseOptions(args, {
    rounds: { type: "string", default: `${ROUNDS}` },
    seconds: { type: "string", default: `${SECONDS}` },
    figures: { type: "string", default: Object.keys(FIGURES).join(",") },
    tunnel: { type: "string", default: "" },
  });
  for (const it of positionals) knownName("mode", it, LAB_MODES);
  const names = values.figures.split(",");
  for (const it of names) knownName("figure", it, Object.keys(FIGURES));
  return {
    modes: LAB_MODES.filter((it) => positionals.length === 0 || positionals.includes(it)),
    figures: names.map((name) => FIGURES[name]).filter((it) => it !== undefined),
    rounds: wholeNumberOption("--rounds", values.rounds, 1, 100),
    seconds: wholeNumberOption("--seconds", values.seconds, 1, 60),
    tunnel: values.tunnel,
  };
}

/** Pairs of runs, the sides in turn; what slows the machine for a while slows both. */
async function compare(
  mode: LabMode,
  { title, measure }: PacketFigure,
  sides: readonly PacketSide[],
  { rounds, seconds }: Plan,
  signal: AbortSignal,
): Promise<string> {
  const runs: Record<PacketSide["name"], number[]> = { kernel: [], lvsd: [] };
  const progress = roundProgress(`${mode} ${title}`, rounds, showProgress);
  const load = { director: 0, tunnelEnd: 0, elapsedMs: 0 };
  for (let round = 0; round <= rounds; round++) {
    for (const side of sides) {
      signal.throwIfAborted();
      progress(round, side.name);
      const before = await side.processorMs();
      const beganMs = performance.now();
      const value = await measure(side, round === 0 ? 1 : seconds);
      const after = await side.processorMs();
      if (round === 0) continue;
      runs[side.name].push(value);
      if (side.name === "kernel") continue;
      load.director += after.director - before.director;
      load.tunnelEnd += after.tunnelEnd - before.tunnelEnd;
      load.elapsedMs += performance.now() - beganMs;
    }
  }
  const { median, lowest, highest } = spread(pairRatios(runs.lvsd, runs.kernel));
  const core = (ms: number) => ms === 0 ? "-" : `${(ms * 100 / load.elapsedMs).toFixed(0)} %`;
  const cells = [
    mode,
    title,
    number(spread(runs.kernel).median),
    number(spread(runs.lvsd).median),
    `${median.toFixed(2)} (${lowest.toFixed(2)} to ${highest.toFixed(2)})`,
    core(load.director),
    core(load.tunnelEnd),
  ];
  return `| ${cells.join(" | ")} |`;
}

async function stream(side: PacketSide, seconds: number, options: readonly string[]): Promise<number> {
  const end = await iperf(side, ["-t", `${seconds}`, ...options]);
  return (end?.sum_received?.bits_per_second ?? 0) / 1e9;
}

/** Datagrams that arrive, a second. */
async function flood(side: PacketSide, seconds: number): Promise<number> {
  const end = await iperf(side, ["-t", `${seconds}`, "-u", "-b", "0", "-l", `${SMALL_BYTES}`]);
  return ((end?.sum?.packets ?? 0) - (end?.sum?.lost_packets ?? 0)) / seconds;
}

interface IperfEnd {
  readonly sum_received?: { readonly bits_per_second?: number };
  readonly sum?: { readonly packets?: number; readonly lost_packets?: number };
}

async function iperf(side: PacketSide, options: readonly string[]): Promise<IperfEnd | undefined> {
  const text = await side.onClient([...IPERF, "-c", side.host, ...options]);
  return (JSON.parse(text || "{}") as { end?: IperfEnd }).end;
}

/** One request on each. */
async function connectMany({ host, webPort, onClient }: PacketSide, seconds: number): Promise<number> {
  const load = ["-t", "1", "-c", `${CONNECTIONS_AT_A_TIME}`, "-d", `${seconds}`];
  const url = `http://${host}:${webPort}/who`;
  const text = await onClient(["wrk", ...load, "-H", "Connection: close", url]);
  return Number(/^Requests\/sec:\s+(\S+)$/m.exec(text)?.[1] ?? 0);
}

async function connect({ host, webPort, onClient }: PacketSide): Promise<number> {
  const urls = Array.from({ length: CONNECTIONS }, () => `http://${host}:${webPort}/who`);
  const beganMs = performance.now();
  const answers = await onClient(["curl", "-s", "--max-time", "20", ...urls]);
  const answered = answers.split("\n").filter((it) => it !== "").length;
  return answered * 1_000 / (performance.now() - beganMs);
}

function number(value: number): string {
  return value < 100 ? value.toFixed(2) : Math.round(value).toLocaleString("en");
}
