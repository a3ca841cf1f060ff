/**
 * The proxies that lvsd is compared with, each with the same settings as far as it has them.
 */
import { LIMITS } from "../limits.ts";
import { startHaproxy } from "../tests/peers/haproxy.ts";
import { startNginx } from "../tests/peers/nginx.ts";
import { startPen } from "../tests/peers/pen.ts";
import {
  BACKLOG,
  BUFFER_BYTES,
  CONNECTIONS,
  type Ports,
  portsFrom,
  type StartedSide,
  type Target,
  version,
} from "./side.ts";

/** Sides whose name begins so: the best of them in a figure is what all others are divided by. */
export const REFERENCE = "haproxy";

const TARGETS: readonly Target[] = ["http", "stream"];

export function startCopying(servers: Ports, threads: number): Promise<StartedSide> {
  return startHaproxySide(REFERENCE, servers, threads, [`tune.bufsize ${BUFFER_BYTES}`], []);
}

/** HAProxy that moves bytes inside the kernel: its best for long streams, and of no use for short ones. */
export async function startSplicing(servers: Ports, threads: number): Promise<StartedSide> {
  const side = await startHaproxySide(
    `${REFERENCE}-splice`,
    servers,
    threads,
    [`tune.bufsize ${BUFFER_BYTES}`, `tune.pipesize ${LIMITS.pipeBytes}`, `maxpipes ${LIMITS.sparePipes}`],
    ["option splice-request", "option splice-response"],
  );
  return { ...side, onlyFor: ["download", "download-8", "upload", "upload-8"] };
}

async function startHaproxySide(
  name: string,
  servers: Ports,
  threads: number,
  tuning: readonly string[],
  splicing: readonly string[],
): Promise<StartedSide> {
  const settings = [`nbthread ${threads}`, `maxconn ${CONNECTIONS}`, ...tuning];
  // As the native engine does: no segment of its own for the end of a handshake when bytes wait to take it along.
  const options = ["option tcp-smart-connect", ...splicing];
  let ports = servers;
  const listen = (target: Target) =>
    [
      `listen ${target}`,
      `  bind 127.0.0.1:${ports[target]} backlog ${BACKLOG}`,
      ...options.map((it) => `  ${it}`),
      "  balance roundrobin",
      `  server one 127.0.0.1:${servers[target]}`,
    ].join("\n");
  const process = await startHaproxy(async (port) => {
    ports = await portsFrom(port);
    return `global
  ${settings.join("\n  ")}
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
${TARGETS.map(listen).join("\n")}
`;
  });
  return {
    name,
    version: await version("haproxy", "-v"),
    settings: [
      ...settings,
      `mode tcp, balance roundrobin, backlog ${BACKLOG}, no log, no check`,
      options.join(", "),
      splicing.length === 0 ? "no splicing" : "splicing",
    ],
    ports,
    pids: [process.pid],
    readyAfterMs: process.readyAfterMs,
    processes: [process],
  };
}

export async function startNginxStream(servers: Ports, threads: number): Promise<StartedSide> {
  const settings = ["tcp_nodelay on", `proxy_buffer_size ${BUFFER_BYTES}`, "proxy_timeout 60s"];
  let ports = servers;
  const server = (target: Target) =>
    `server {
      listen 127.0.0.1:${ports[target]} backlog=${BACKLOG} reuseport;
      proxy_pass 127.0.0.1:${servers[target]};
      ${settings.join(";\n")};
    }`;
  const process = await startNginx({
    workers: threads,
    // Both sides of a connection count.
    connections: 2 * CONNECTIONS + 100,
    stream: async (port) => {
      ports = await portsFrom(port);
      return TARGETS.map(server).join("\n");
    },
  });
  return {
    name: "nginx",
    version: `${await version("nginx", "-v")}, stream module`,
    settings: [
      `worker_processes ${threads}`,
      ...settings,
      `backlog=${BACKLOG}, reuseport, no access_log`,
    ],
    ports,
    pids: [process.pid],
    readyAfterMs: process.readyAfterMs,
    processes: [process],
  };
}

/** pen has one thread and one listener: two of them stand here. */
export async function startPenSide(servers: Ports): Promise<StartedSide> {
  await using starting = new AsyncDisposableStack();
  const [http, stream] = [
    starting.use(await startPen(servers.http, CONNECTIONS)),
    starting.use(await startPen(servers.stream, CONNECTIONS)),
  ];
  return {
    name: "pen",
    version: "pen",
    settings: [
      `one thread, -r, -x ${CONNECTIONS}, no log; it cannot be told the accept queue or its buffers`,
    ],
    ports: { http: http.port, stream: stream.port },
    pids: [http.pid, stream.pid],
    readyAfterMs: http.readyAfterMs,
    processes: [starting.move()],
  };
}
