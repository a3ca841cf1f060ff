/**
 * The real servers, and before them nothing, lvsd, HAProxy, nginx, pen or a bare loop, started and stopped together.
 */
import { startIperf3 } from "../tests/peers/iperf3.ts";
import { startNginx } from "../tests/peers/nginx.ts";
import type { PeerProcess } from "../tests/peers/peer_process.ts";
import { startBare } from "./bare_side.ts";
import { startNative, startPortable } from "./lvsd_side.ts";
import { startCopying, startNginxStream, startPenSide, startSplicing } from "./other_sides.ts";
import { BACKLOG, CONNECTIONS, type Ports, type Side, type StartSide, version } from "./side.ts";

/** In the order in which they run. */
const STARTS: readonly StartSide[] = [
  startNative,
  startPortable,
  startCopying,
  startSplicing,
  startNginxStream,
  startPenSide,
  startBare,
];

const SERVER_SETTINGS = [
  "tcp_nodelay on",
  "keepalive_requests 1000000000",
  "keepalive_timeout 600s",
] as const;

/** All sides of a comparison. */
export class Topology implements AsyncDisposable {
  readonly sides: readonly Side[];
  /** What the real servers are and were told. */
  readonly servers: readonly string[];
  readonly #processes: AsyncDisposableStack;

  private constructor(sides: readonly Side[], servers: readonly string[], processes: AsyncDisposableStack) {
    this.sides = sides;
    this.servers = servers;
    this.#processes = processes;
  }

  /** @param threads that each side may have, where it can have more than one */
  static async start(threads: number): Promise<Topology> {
    await using starting = new AsyncDisposableStack();
    const http = starting.use(await startServer());
    const stream = starting.use(await startIperf3());
    const ports: Ports = { http: http.port, stream: stream.port };
    const sides: Side[] = [{
      name: "direct",
      version: "no proxy",
      settings: [],
      ports,
      pids: [],
      readyAfterMs: 0,
    }];
    for (const start of STARTS) {
      const { processes, ...side } = await start(ports, threads);
      for (const process of processes) starting.use(process);
      sides.push(side);
    }
    const nginx = [await version("nginx", "-v"), "worker_processes 1", ...SERVER_SETTINGS].join(", ");
    return new Topology(sides, [nginx, await version("iperf3", "--version")], starting.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#processes.disposeAsync();
  }
}

/** nginx, which answers `GET /` with a line. */
export function startServer(): Promise<PeerProcess> {
  return startNginx({
    connections: CONNECTIONS + 100,
    http: (port) =>
      `${SERVER_SETTINGS.map((it) => `${it};`).join("\n")}
      server {
        listen 127.0.0.1:${port} backlog=${BACKLOG};
        location = / { return 200 "hello\\n"; }
      }`,
  });
}
