/** nginx: an HTTP server, or a TCP proxy by its stream module. */
import { PeerProcess } from "./peer_process.ts";
import { requirePeer } from "./required_peers.ts";

const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

/** What differs between two nginx. */
export interface NginxConfig {
  /** Everything inside `http { }`, given the port and a directory for files. */
  readonly http?: (port: number, directory: string) => string;
  /** Everything inside `stream { }`. */
  readonly stream?: (port: number) => string;
  /** Connections of its one worker, both sides counted (default 4,096). */
  readonly connections?: number;
}

/** Starts nginx in the foreground with one worker and no access log. */
export function startNginx(config: NginxConfig): Promise<PeerProcess> {
  const command = requirePeer("nginx");
  return PeerProcess.start(async (port, directory) => {
    const path = `${directory}/nginx.conf`;
    await Deno.writeTextFile(path, nginxConfig(config, port, directory));
    // -e: nginx opens a log in /var/log before it reads that its log is elsewhere.
    return { command, args: ["-p", directory, "-e", "stderr", "-c", path], ready: "accepts" };
  });
}

function nginxConfig(
  { http, stream, connections = 4_096 }: NginxConfig,
  port: number,
  directory: string,
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${directory}/${name};`);
  return [
    ...(stream === undefined ? [] : [`load_module ${STREAM_MODULE};`]),
    // Started by root, the worker would become nobody and could not read a directory of root's.
    ...(Deno.uid() === 0 ? ["user root;"] : []),
    "daemon off;",
    "worker_processes 1;",
    `worker_rlimit_nofile ${2 * connections};`,
    `pid ${directory}/nginx.pid;`,
    "error_log stderr warn;",
    `events { worker_connections ${connections}; }`,
    ...(http === undefined ? [] : ["http {", "access_log off;", ...temporary, http(port, directory), "}"]),
    ...(stream === undefined ? [] : ["stream {", stream(port), "}"]),
    "",
  ].join("\n");
}
