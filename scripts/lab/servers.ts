/**
 * The real servers' programs: nginx for TCP, dnsmasq for UDP; each says who it is and notes whom it saw.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SystemError } from "../../errors.ts";
import { inside, must } from "./command.ts";
import { ADDRESS, type LabMode, namespaceOf, serverNumber, SERVERS, serversOfOurs } from "./topology.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const READY_MS = 50;
const READY_TRIES = 200;

/** Ports of the real servers: others than the service's where NAT maps them. */
export function serverPorts(mode: LabMode): { readonly http: number; readonly dns: number } {
  return mode === "nat" ? { http: 8_080, dns: 5_353 } : { http: 80, dns: 53 };
}

/** A name that every real server answers with an address of its own. */
export const LAB_NAME = "who.lab";

/** File in which a real server's nginx notes its clients. */
export function accessLog(folder: string, server: string): string {
  return join(folder, `${server}.access.log`);
}

/** File in which its dnsmasq notes who asked. */
export function queryLog(folder: string, server: string): string {
  return join(folder, `${server}.dns.log`);
}

/** Starts all servers; they live until their namespace is taken down. */
export async function startServers(mode: LabMode, folder: string): Promise<void> {
  for (const server of serversOfOurs(mode)) await setUpServer(mode, folder, server);
  for (const server of SERVERS) {
    await startNginx(mode, folder, server);
    await startDnsmasq(mode, folder, server);
  }
}

/** `lvsd realserver`; for TUN it stays and takes packets apart. */
async function setUpServer(mode: LabMode, folder: string, server: string): Promise<void> {
  const words = inside(namespaceOf(server), [
    ...[Deno.execPath(), "run", "-A", MAIN, "realserver", mode === "tun" ? "tun" : "dr"],
    ...["--vip", `${ADDRESS.virtual4},${ADDRESS.virtual6}`],
  ]);
  if (mode !== "tun") return void await must(words);
  const output = join(folder, `${server}.realserver.log`);
  await must(["sh", "-c", `${words.join(" ")} > ${output} 2>&1 &`]);
  for (let tries = 0; tries < READY_TRIES; tries++) {
    if ((await Deno.readTextFile(output).catch(() => "")).includes("ready")) return;
    await new Promise((resolve) => setTimeout(resolve, READY_MS));
  }
  throw new SystemError("COMMAND_FAILED", `${server}: ${await Deno.readTextFile(output)}`, { server });
}

async function startNginx(mode: LabMode, folder: string, server: string): Promise<void> {
  const { http } = serverPorts(mode);
  const path = join(folder, `${server}.nginx.conf`);
  await Deno.writeTextFile(
    path,
    `user root;
worker_processes 1;
pid ${join(folder, `${server}.nginx.pid`)};
error_log ${join(folder, `${server}.error.log`)};
events { worker_connections 1024; }
http {
  access_log ${accessLog(folder, server)} combined;
  keepalive_timeout 0;
  client_max_body_size 256m;
  client_body_temp_path ${join(folder, server)}.body;
  server {
    listen ${http};
    listen [::]:${http};
    root ${folder};
    location /who { return 200 "${server} $remote_addr\\n"; }
    location /slow/ { limit_rate 2m; alias ${folder}/; }
    location /upload { dav_methods PUT; create_full_put_path on; root ${join(folder, server)}; }
  }
}
`,
  );
  await must(inside(namespaceOf(server), ["nginx", "-c", path]));
}

async function startDnsmasq(mode: LabMode, folder: string, server: string): Promise<void> {
  const number = serverNumber(server);
  // Bound to the wildcard a real server would answer a DR client from its own address.
  const own = mode === "nat"
    ? [`172.16.0.${number}`, `fd00:2::${number}`]
    : [ADDRESS.virtual4, ADDRESS.virtual6];
  await must(inside(namespaceOf(server), [
    "dnsmasq",
    "--conf-file=/dev/null",
    "--no-hosts",
    "--no-resolv",
    "--user=root",
    `--pid-file=${join(folder, `${server}.dnsmasq.pid`)}`,
    "--bind-interfaces",
    ...own.map((it) => `--listen-address=${it}`),
    "--except-interface=nothing",
    `--port=${serverPorts(mode).dns}`,
    `--address=/${LAB_NAME}/192.0.2.${number}`,
    `--log-queries=extra`,
    `--log-facility=${queryLog(folder, server)}`,
  ]));
}
