/**
 * What a lab has to show: exchanges in every cell, the client's address at the real servers, replies on their way.
 *
 * @module
 */
import { inside, must, run } from "./command.ts";
import type { DirectorProcess } from "./director_process.ts";
import { askDns, askHttp } from "./exchanges.ts";
import { accessLog, queryLog, serverPorts } from "./servers.ts";
import { ADDRESS, type LabMode, namespaceOf, serverNumber, SERVERS } from "./topology.ts";

/** One line of the report. */
export interface CheckLine {
  readonly what: string;
  readonly problem?: string;
}

const METHOD_OPTION: Readonly<Record<LabMode, string>> = { nat: "-m", dr: "-g", tun: "-i" };
export const TUNNELS = [
  "--tun-type ipip",
  "--tun-type gre",
  "--tun-type gre --tun-csum",
  "--tun-type gue --tun-port 6080",
  "--tun-type gue --tun-port 6080 --tun-csum",
  "--tun-type gue --tun-port 6080 --tun-remcsum",
] as const;
const SCHEDULERS = ["rr", "wlc", "sh"] as const;
const FAMILIES = [4, 6] as const;
/** Below the ports that the client's system gives away by itself; 1,000 exchanges in each of twelve cells, and in six tunnels. */
const FIRST_PORT = 10_000;
const FIRST_TUNNEL_PORT = 23_000;

/** Gives the director the lab's services under a scheduler. */
export async function serveAll(director: DirectorProcess, mode: LabMode, scheduler: string): Promise<void> {
  await director.ipvsadm("-C");
  const { http, dns } = serverPorts(mode);
  for (const family of FAMILIES) {
    const address = family === 4 ? ADDRESS.virtual4 : `[${ADDRESS.virtual6}]`;
    for (const [option, port, to] of [["-t", 80, http], ["-u", 53, dns]] as const) {
      await director.ipvsadm(`-A ${option} ${address}:${port} -s ${scheduler}`);
      for (const server of SERVERS) {
        const number = serverNumber(server);
        const real = family === 4 ? `172.16.0.${number}` : `[fd00:2::${number}]`;
        await director.ipvsadm(`-a ${option} ${address}:${port} -r ${real}:${to} ${METHOD_OPTION[mode]}`);
      }
    }
  }
}

/** Every cell: scheduler by protocol by family. */
export async function* checkCells(
  director: DirectorProcess,
  mode: LabMode,
  exchanges: number,
): AsyncGenerator<CheckLine> {
  let port = FIRST_PORT;
  for (const scheduler of SCHEDULERS) {
    await serveAll(director, mode, scheduler);
    for (const family of FAMILIES) {
      for (const protocol of ["TCP", "UDP"] as const) {
        const answers = protocol === "TCP"
          ? await askHttp(family, exchanges, port)
          : await askDns(family, exchanges, port);
        port += exchanges;
        const what = `${mode} ${protocol} IPv${family} ${scheduler}: ${exchanges} exchanges`;
        const problem = judge(answers, exchanges, scheduler);
        yield problem === undefined ? { what } : { what, problem };
      }
    }
  }
}

/** Every encapsulation of TUN, over IPv4. */
export async function* checkTunnels(director: DirectorProcess, exchanges: number): AsyncGenerator<CheckLine> {
  await serveAll(director, "tun", "rr");
  let port = FIRST_TUNNEL_PORT;
  for (const tunnel of TUNNELS) {
    await useTunnel(director, tunnel);
    const problem = judge(await askHttp(4, exchanges, port), exchanges, "rr");
    port += exchanges;
    const what = `tun ${tunnel}: ${exchanges} exchanges`;
    yield problem === undefined ? { what } : { what, problem };
  }
}

/** Gives HTTP over IPv4 another tunnel. */
export async function useTunnel(director: DirectorProcess, tunnel: string): Promise<void> {
  for (const server of SERVERS) {
    const real = `172.16.0.${serverNumber(server)}:80`;
    await director.ipvsadm(`-e -t ${ADDRESS.virtual4}:80 -r ${real} -i ${tunnel}`);
  }
}

/** Whether the real servers saw the client itself. */
export async function checkLogs(folder: string): Promise<CheckLine> {
  const what = "the real servers' logs name the client";
  const clients = new Set<string>();
  for (const server of SERVERS) {
    const pages = await Deno.readTextFile(accessLog(folder, server)).catch(() => "");
    for (const [, client = ""] of pages.matchAll(/^(\S+) /gm)) clients.add(`TCP ${client}`);
    const names = await Deno.readTextFile(queryLog(folder, server)).catch(() => "");
    for (const [, client = ""] of names.matchAll(/ query\S+ \S+ from (\S+)$/gm)) clients.add(`UDP ${client}`);
  }
  const { client4, client6 } = ADDRESS;
  const wanted = ["TCP", "UDP"].flatMap((it) => [`${it} ${client4}`, `${it} ${client6}`]);
  if (clients.size === wanted.length && wanted.every((it) => clients.has(it))) return { what };
  return { what, problem: `they name ${[...clients].join(", ") || "nobody"}` };
}

/** A hundred mebibytes each way, equal at the other end. */
export async function checkTransfer(folder: string, mebibytes: number): Promise<CheckLine[]> {
  const big = `${folder}/big.bin`;
  await must(["dd", "if=/dev/urandom", `of=${big}`, "bs=1M", `count=${mebibytes}`, "status=none"]);
  const [wanted] = (await must(["sha256sum", big])).split(" ");
  const began = performance.now();
  const down = await run(
    inside(namespaceOf("client"), [
      "sh",
      "-c",
      `curl -s --max-time 60 http://${ADDRESS.virtual4}/big.bin | sha256sum`,
    ]),
  );
  const middle = performance.now();
  const up = await run(
    inside(namespaceOf("client"), [
      ...["curl", "-s", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}", "-T", big],
      `http://${ADDRESS.virtual4}/upload/big.bin`,
    ]),
  );
  const ended = performance.now();
  let uploaded = "";
  for (const server of SERVERS) {
    const { stdout } = await run(["sh", "-c", `sha256sum ${folder}/${server}/upload/big.bin 2>/dev/null`]);
    uploaded ||= stdout.split(" ")[0] ?? "";
  }
  const rate = (ms: number) => `${(mebibytes * 8.388608 / ms).toFixed(2)} Gbit/s`;
  const line = (what: string, isEqual: boolean, problem: string): CheckLine =>
    isEqual ? { what } : { what, problem };
  return [
    line(
      `${mebibytes} MiB down are equal (${rate(middle - began)})`,
      down.stdout.startsWith(wanted ?? "-"),
      `curl: ${down.code} ${down.stdout.trim()}`,
    ),
    line(
      `${mebibytes} MiB up are equal (${rate(ended - middle)})`,
      uploaded === wanted,
      `HTTP ${up.stdout}, curl: ${up.code}`,
    ),
  ];
}

function judge(answers: readonly string[], exchanges: number, scheduler: string): string | undefined {
  if (answers.length !== exchanges) return `${answers.length} answered`;
  const counts = SERVERS.map((server) => answers.filter((it) => it === server).length);
  const text = SERVERS.map((server, i) => `${server} ${counts[i]}`).join(", ");
  if (scheduler === "sh") {
    return counts.filter((it) => it > 0).length === 1 ? undefined : `one client went to several: ${text}`;
  }
  const isEven = scheduler !== "rr" || Math.max(...counts) - Math.min(...counts) <= 1;
  if (!isEven) return `not in turn: ${text}`;
  return counts.every((it) => it > 0) ? undefined : `one got nothing: ${text}`;
}
