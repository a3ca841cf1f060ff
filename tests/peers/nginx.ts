/** nginx: an HTTP server, or a TCP proxy by its stream module. */
import { PeerProcess } from "./peer_process.ts";
import { requirePeer } from "./required_peers.ts";

const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** What differs between two nginx. */
export interface NginxConfig {
  /** Everything inside `http { }`, given the port and a directory for files. */
  readonly http?: (port: number, directory: string) => string;
  /** Everything inside `stream { }`. */
  readonly stream?: (port: number) => string | Promise<string>;
  /** Connections of a worker, both sides counted (default 4,096). */
  readonly connections?: number;
  /** Worker processes (default 1). */
  readonly workers?: number;
}

/** Starts nginx in the foreground, without an access log. */
export function startNginx(config: NginxConfig): Promise<PeerProcess> {
  const command = requirePeer("nginx");
  return PeerProcess.start(async (port, directory) => {
    const path = `${directory}/nginx.conf`;
    await Deno.writeTextFile(path, await nginxConfig(config, port, directory));
    // -e: nginx opens a log in /var/log before it reads that its log is elsewhere.
    return { command, args: ["-p", directory, "-e", "stderr", "-c", path], ready: "accepts" };
  });
}

async function nginxConfig(
  { http, stream, connections = 4_096, workers = 1 }: NginxConfig,
  port: number,
  directory: string,
): Promise<string> {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${directory}/${name};`);
  return [
    ...(stream === undefined ? [] : [`load_module ${STREAM_MODULE};`]),
    // Started by root, the worker would become nobody and could not read a directory of root's.
    ...(Deno.uid() === 0 ? ["user root;"] : []),
    "daemon off;",
    `worker_processes ${workers};`,
    // Every connection is counted, on both sides; the rest is for its own files.
    `worker_rlimit_nofile ${connections + 100};`,
    `pid ${directory}/nginx.pid;`,
    "error_log stderr warn;",
    `events { worker_connections ${connections}; }`,
    ...(http === undefined ? [] : ["http {", "access_log off;", ...temporary, http(port, directory), "}"]),
    ...(stream === undefined ? [] : ["stream {", await stream(port), "}"]),
    "",
  ].join("\n");
}
