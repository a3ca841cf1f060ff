/**
 * The sides of the comparison: one real server, and before it nothing, lvsd, HAProxy or nginx, each with one thread and
 * the same settings as far as each has them.
 */
import { fileURLToPath } from "node:url";
import { LIMITS } from "../limits.ts";
import { startHaproxy } from "../tests/peers/haproxy.ts";
import { startNginx } from "../tests/peers/nginx.ts";
import { PeerProcess } from "../tests/peers/peer_process.ts";
import { requirePeer } from "../tests/peers/required_peers.ts";

/** A way to the real server. */
export interface Side {
  readonly name: string;
  readonly version: string;
  /** What it was told, line by line; every side logs no connection and sets TCP_NODELAY. */
  readonly settings: readonly string[];
  readonly port: number;
  /** Whose processor time is measured. */
  readonly pid?: number;
  /** The only figures it is there for; undefined: all. */
  readonly onlyFor?: readonly string[];
}

/** The side that all others are divided by. */
export const REFERENCE = "haproxy";

// Equal for all: the accept queue, and the bytes that a direction may hold (lvsd's own limits).
const BACKLOG = LIMITS.tcpBacklogConnections;
const BUFFER_BYTES = LIMITS.relayBufferBytes;
const CONNECTIONS = 4_000;
const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** The real server and all sides, stopped together. */
export class Topology implements AsyncDisposable {
  readonly sides: readonly Side[];
  readonly server: readonly string[];
  readonly #processes: AsyncDisposableStack;

  private constructor(sides: readonly Side[], server: readonly string[], processes: AsyncDisposableStack) {
    this.sides = sides;
    this.server = server;
    this.#processes = processes;
  }

  /** @param bulkBytes size of the file that the real server has at `/bulk` */
  static async start(bulkBytes: number): Promise<Topology> {
    await using starting = new AsyncDisposableStack();
    const settings = serverSettings();
    const server = starting.use(await startServer(settings, bulkBytes));
    const sides: Side[] = [{ name: "direct", version: "no proxy", settings: [], port: server.port }];
    for (const start of [startNative, startPortable, startReference, startSplicing, startNginxStream]) {
      const { process, ...side } = await start(server.port);
      starting.use(process);
      sides.push({ ...side, port: process.port, pid: process.pid });
    }
    return new Topology(sides, [await version("nginx", "-v"), ...settings], starting.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#processes.disposeAsync();
  }
}

type StartedSide = Omit<Side, "port"> & { readonly process: PeerProcess };

function serverSettings(): string[] {
  return ["sendfile on", "tcp_nodelay on", "keepalive_requests 1000000000", "worker_processes 1"];
}

function startServer(settings: readonly string[], bulkBytes: number): Promise<PeerProcess> {
  const directives = settings.filter((line) => !line.startsWith("worker_")).map((line) => `${line};`);
  return startNginx({
    connections: CONNECTIONS,
    http: (port, directory) => {
      // A file of nothing but a hole: read from memory, and no space taken on the disk.
      using file = Deno.createSync(`${directory}/bulk`);
      file.truncateSync(bulkBytes);
      return `${directives.join("\n")}
        server {
          listen 127.0.0.1:${port} backlog=${BACKLOG};
          root ${directory};
          location = / { return 200 "hello\\n"; }
        }`;
    },
  });
}

const startNative = (serverPort: number) => startLvsd(serverPort, "native");
const startPortable = (serverPort: number) => startLvsd(serverPort, "portable");

async function startLvsd(serverPort: number, engine: "native" | "portable"): Promise<StartedSide> {
  const settings = {
    log: { level: "error", connections: false },
    admin: { listen: "off", socket: "off" },
    workers: 1,
  };
  const service = (port: number) => ({
    name: "bench",
    protocol: "tcp",
    listen: `127.0.0.1:${port}`,
    scheduler: "rr",
    healthCheck: "off",
    engine,
    destinations: [`127.0.0.1:${serverPort}`],
  });
  const process = await PeerProcess.start(async (port, directory) => {
    const path = `${directory}/lvsd.yaml`;
    // JSON is YAML.
    await Deno.writeTextFile(path, JSON.stringify({ ...settings, services: [service(port)] }));
    return { command: Deno.execPath(), args: ["run", "-A", MAIN, "run", "-c", path], ready: "accepts" };
  });
  return {
    name: `lvsd-${engine}`,
    version: `lvsd, ${engine} engine, Deno ${Deno.version.deno}, V8 ${Deno.version.v8}`,
    settings: [
      engine === "native" ? "one worker, beside the main thread" : "one thread",
      JSON.stringify(settings),
      `scheduler rr, no health check, backlog ${BACKLOG}, at most ${BUFFER_BYTES} bytes held in each direction`,
    ],
    process,
  };
}

function startReference(serverPort: number): Promise<StartedSide> {
  return startHaproxySide(REFERENCE, serverPort, `tune.bufsize ${BUFFER_BYTES}`, "no option splice-response");
}

/**
 * HAProxy moving answers inside the kernel, which the others do not: its best for one long download, beside the
 * reference that copies as they do.
 */
async function startSplicing(serverPort: number): Promise<StartedSide> {
  const side = await startHaproxySide(
    `${REFERENCE}-splice`,
    serverPort,
    `tune.pipesize ${LIMITS.pipeBytes}`,
    "option splice-response",
  );
  return { ...side, onlyFor: ["bulk", "bulk-8"] };
}

async function startHaproxySide(
  name: string,
  serverPort: number,
  tuning: string,
  splicing: string,
): Promise<StartedSide> {
  const settings = ["nbthread 1", `maxconn ${CONNECTIONS}`, tuning];
  const process = await startHaproxy((port) =>
    `global
  ${settings.join("\n  ")}
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen bench
  bind 127.0.0.1:${port} backlog ${BACKLOG}
  ${splicing}
  balance roundrobin
  server one 127.0.0.1:${serverPort}
`
  );
  const text = [
    ...settings,
    `mode tcp, balance roundrobin, backlog ${BACKLOG}, no log, no check, ${splicing}`,
  ];
  return { name, version: await version("haproxy", "-v"), settings: text, process };
}

async function startNginxStream(serverPort: number): Promise<StartedSide> {
  const settings = ["tcp_nodelay on", `proxy_buffer_size ${BUFFER_BYTES}`, "proxy_timeout 60s"];
  const process = await startNginx({
    connections: CONNECTIONS,
    stream: (port) =>
      `server {
        listen 127.0.0.1:${port} backlog=${BACKLOG};
        proxy_pass 127.0.0.1:${serverPort};
        ${settings.join(";\n")};
      }`,
  });
  const text = ["worker_processes 1", ...settings, `backlog=${BACKLOG}, no reuseport, no access_log`];
  return {
    name: "nginx",
    version: `${await version("nginx", "-v")}, stream module`,
    settings: text,
    process,
  };
}

/** First line of what a program says about its version, on either output. */
async function version(name: "nginx" | "haproxy", option: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(requirePeer(name), { args: [option] }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return text.split("\n")[0]?.replace(/ - https:.*$/, "") ?? name;
}
