/**
 * `deno task bench:udp`: requests and answers, and datagrams one way, straight and through lvsd and nginx's stream module. Linux,
 * nginx with libnginx-mod-stream. See docs/bench.md.
 */
import { fileURLToPath } from "node:url";
import { knownName, parseOptions, wholeNumberOption } from "../cli/options.ts";
import { EXIT } from "../errors.ts";
import { freePort } from "../tests/peers/free_port.ts";
import { startNginx } from "../tests/peers/nginx.ts";
import { PeerProcess } from "../tests/peers/peer_process.ts";
import { requirePeer } from "../tests/peers/required_peers.ts";
import type { Figure, Measurement } from "./figure.ts";
import { figureTable, summarise } from "./report.ts";
import { roundProgress, runRounds } from "./rounds.ts";
import { type Ports, type Side, version } from "./side.ts";
import { printLine, runTask, showProgress } from "./task.ts";
import { SOCKET_BUFFER_BYTES, type UdpLoad } from "./udp_load.ts";

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const REFERENCE = "nginx";
const ROUNDS = 9;
const SECONDS = 2;
/** Runs that are thrown away: what runs often is compiled by then. */
const WARM_UP_ROUNDS = 4;
const FIGURE_NAMES = figures(0, SECONDS).map(({ name }) => name);

const USAGE = `usage: deno task bench:udp [--rounds N] [--seconds N] [FIGURE...]
  FIGURE       ${FIGURE_NAMES.join(", ")} (default: all)
  --rounds N   measured runs of each side, after ${WARM_UP_ROUNDS} that are thrown away (default ${ROUNDS}, at most 100)
  --seconds N  length of a run (default ${SECONDS}, at most 60)
  -h, --help   this text

Needs Linux and nginx with libnginx-mod-stream.

Example:
  deno task bench:udp --rounds 3 udp-pairs
`;

/** What a load has besides where it goes. */
type Load = Omit<UdpLoad, "port" | "sinkPort">;

/** The figures; `http` and `stream` of a side's ports are here those of the echo and of the sink. */
function figures(sinkPort: number, seconds: number): Figure[] {
  const pairs = (clients: number, window: number): Load => ({
    kind: "pairs",
    clients,
    window,
    bytes: 64,
    seconds,
  });
  const oneWay = (clients: number, bytes: number): Load => ({
    kind: "one-way",
    clients,
    window: 0,
    bytes,
    seconds,
  });
  return [
    figureOf("udp-pairs", "requests of 64 bytes and answers, 50 clients with 4 on their way", pairs(50, 4)),
    figureOf("udp-pairs-1000", "the same, 1,000 clients with 1 on its way", pairs(1_000, 1)),
    figureOf("udp-one-way", "datagrams of 1,200 bytes that arrive, one client", oneWay(1, 1_200)),
    figureOf("udp-one-way-64", "datagrams of 64 bytes that arrive, 8 clients", oneWay(8, 64)),
  ];

  function figureOf(name: string, title: string, load: Load): Figure {
    const measure = (side: Side, signal: AbortSignal) =>
      run({ ...load, port: load.kind === "pairs" ? side.ports.http : side.ports.stream, sinkPort }, signal);
    const client = "one thread, recvmmsg and sendmmsg";
    return { name, title, unit: "/s", better: "more", processorUnit: "us each", client, measure };
  }
}

async function run(load: UdpLoad, signal: AbortSignal): Promise<Measurement> {
  const args = ["run", "-A", "--no-check", pathOf("udp_load.ts"), JSON.stringify(load)];
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), { args, signal }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function startEnds(): Promise<{ readonly process: PeerProcess; readonly ports: Ports }> {
  let stream = 0;
  const process = await PeerProcess.start(async (port) => {
    stream = await freePort();
    const args = ["run", "-A", "--no-check", pathOf("udp_ends.ts"), `${port}`, `${stream}`];
    return { command: Deno.execPath(), args, ready: { line: /ready/ } };
  });
  return { process, ports: { http: process.port, stream } };
}

async function startLvsd(servers: Ports, engine: "native" | "portable") {
  let stream = 0;
  const settings = {
    log: { level: "error", connections: false },
    admin: { listen: "off", socket: "off" },
    workers: 1,
  };
  const service = (name: keyof Ports, port: number) => ({
    name,
    protocol: "udp",
    listen: `127.0.0.1:${port}`,
    scheduler: "rr",
    healthCheck: "off",
    engine,
    destinations: [`127.0.0.1:${servers[name]}`],
  });
  const process = await PeerProcess.start(async (port, directory) => {
    stream = await freePort();
    const path = `${directory}/lvsd.yaml`;
    const ready = `http://127.0.0.1:${await freePort()}`;
    // JSON is YAML.
    const services = [service("http", port), service("stream", stream)];
    const admin = { listen: ready.slice("http://".length), socket: "off" };
    await Deno.writeTextFile(path, JSON.stringify({ ...settings, admin, services }));
    const args = ["run", "-A", pathOf("../main.ts"), "run", "-c", path];
    return { command: Deno.execPath(), args, ready: { url: `${ready}/healthz` } };
  });
  const side: Side = {
    name: `lvsd-${engine}`,
    version: `lvsd, ${engine} engine, Deno ${Deno.version.deno}`,
    settings: [engine === "native" ? "one worker, beside the main thread" : "one thread", "scheduler rr"],
    ports: { http: process.port, stream },
    pids: [process.pid],
    readyAfterMs: process.readyAfterMs,
  };
  return { process, side };
}

async function startReference(servers: Ports) {
  const sockets = `rcvbuf=${SOCKET_BUFFER_BYTES} sndbuf=${SOCKET_BUFFER_BYTES}`;
  let ports = servers;
  const server = (port: number, target: keyof Ports) =>
    `server {
      listen 127.0.0.1:${port} udp reuseport ${sockets};
      proxy_pass 127.0.0.1:${servers[target]};
      proxy_timeout 60s;
    }`;
  const process = await startNginx({
    connections: 8_192,
    stream: async (ready) => {
      ports = { http: await freePort(), stream: await freePort() };
      // A listener for TCP shows that it runs.
      return [
        `server { listen 127.0.0.1:${ready}; return ok; }`,
        server(ports.http, "http"),
        server(ports.stream, "stream"),
      ].join("\n");
    },
  });
  const side: Side = {
    name: REFERENCE,
    version: `${await version("nginx", "-v")}, stream module`,
    settings: ["worker_processes 1", `listen udp reuseport ${sockets}`, "proxy_timeout 60s, no access_log"],
    ports,
    pids: [process.pid],
    readyAfterMs: process.readyAfterMs,
  };
  return { process, side };
}

async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    rounds: { type: "string", default: `${ROUNDS}` },
    seconds: { type: "string", default: `${SECONDS}` },
  });
  const rounds = wholeNumberOption("--rounds", values.rounds, 1, 100);
  const seconds = wholeNumberOption("--seconds", values.seconds, 1, 60);
  for (const it of positionals) knownName("figure", it, FIGURE_NAMES);
  requirePeer("nginx");
  await using starting = new AsyncDisposableStack();
  showProgress("starting the sides");
  const ends = await startEnds();
  starting.use(ends.process);
  const sides: Side[] = [{
    name: "direct",
    version: "no proxy",
    settings: [],
    ports: ends.ports,
    pids: [],
    readyAfterMs: 0,
  }];
  for (
    const start of [
      () => startLvsd(ends.ports, "native"),
      () => startLvsd(ends.ports, "portable"),
      () => startReference(ends.ports),
    ]
  ) {
    const { process, side } = await start();
    starting.use(process);
    sides.push(side);
  }
  for (const { name, version, settings } of sides.slice(1)) {
    printLine([`${name}: ${version}`, ...settings.map((it) => `  ${it}`)].join("\n"));
  }
  for (const figure of figures(ends.ports.stream, seconds)) {
    if (positionals.length > 0 && !positionals.includes(figure.name)) continue;
    const progress = roundProgress(figure.name, rounds, showProgress);
    const runs = await runRounds(figure, sides, { warmUpRounds: WARM_UP_ROUNDS, rounds }, {
      progress,
      signal,
    });
    printLine(`\n${figureTable(summarise(figure, runs, REFERENCE))}`);
  }
  return EXIT.ok;
}

if (import.meta.main) Deno.exit(await runTask({ name: "bench:udp", usage: USAGE, run: main }, Deno.args));
