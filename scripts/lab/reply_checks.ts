/**
 * Which way replies take, and whether what arrives is intact.
 *
 * @module
 */
import { join } from "node:path";
import { Capture } from "./capture.ts";
import { type CheckLine, serveAll } from "./checks.ts";
import { inside, must, run } from "./command.ts";
import type { DirectorProcess } from "./director_process.ts";
import { askDns, askHttp } from "./exchanges.ts";
import { ADDRESS, type LabHost, type LabMode, namespaceOf, SERVERS } from "./topology.ts";

const FIRST_PORT = 30_000;
/** Exchanges for each protocol and family. */
const EXCHANGES = 20;
/** Enough of a packet for its addresses and ports. */
const SNAP_BYTES = 128;
const { client4, client6, virtual4, virtual6 } = ADDRESS;
const FROM_SERVICE =
  `(src host ${virtual4} or src host ${virtual6}) and (tcp src port 80 or udp src port 53)`;
const TO_CLIENT = `(tcp or udp) and (dst host ${client4} or dst host ${client6})`;
const FROM_CLIENT = `(tcp or udp) and (src host ${client4} or src host ${client6})`;
/** How tcpdump -vv calls a wrong checksum, in its printers for IP, TCP, UDP, ICMP and ICMPv6. */
export const BAD_CHECKSUM = /\(incorrect|bad (udp |icmp6 )?cksum|wrong icmp cksum/;
export const GOOD_CHECKSUM = /\(correct\)|udp sum ok/;

/** Watches replies while something else goes on: with NAT at the client, with DR and TUN on the director. */
export async function watchReplies(mode: LabMode, folder: string): Promise<Capture> {
  const file = join(folder, "replies.pcap");
  return await Capture.start(
    mode === "nat" ? { host: "client", link: "c0", file, filter: TO_CLIENT, snapBytes: SNAP_BYTES } : {
      host: "director",
      link: "any",
      file,
      filter: `${TO_CLIENT} or ${FROM_CLIENT}`,
      snapBytes: SNAP_BYTES,
    },
  );
}

/** With NAT all come from the virtual address and port; with DR and TUN none through the director, which sees the requests. */
export async function judgeReplies(capture: Capture, mode: LabMode): Promise<CheckLine> {
  await capture.stop();
  if (mode === "nat") {
    const all = await capture.count(TO_CLIENT);
    const foreign = await capture.lines(`${TO_CLIENT} and not (${FROM_SERVICE})`);
    const what = `all ${all} reply packets come from the virtual address and its port`;
    if (all > 0 && foreign.length === 0) return { what };
    return { what, problem: foreign[0] ?? "there were none" };
  }
  const requests = await capture.count(FROM_CLIENT);
  const replies = await capture.lines(TO_CLIENT);
  const what = `not one reply packet beside ${requests} of requests comes through the director`;
  if (requests > 0 && replies.length === 0) return { what };
  return { what, problem: replies.length > 0 ? `${replies.length} do: ${replies[0]}` : "it saw no request" };
}

/** Checksums of all that arrives at the client and the real servers, with none left to a network card. */
export async function checkChecksums(
  director: DirectorProcess,
  mode: LabMode,
  folder: string,
): Promise<CheckLine> {
  await serveAll(director, mode, "rr");
  const ends: [LabHost, string][] = [["client", "c0"], ["client", "c1"]];
  for (const server of SERVERS) ends.push([server, "eth0"]);
  await offload(ends, "off");
  const captures: Capture[] = [];
  for (const [host, link] of ends) {
    const file = join(folder, `${host}-${link}.pcap`);
    captures.push(await Capture.start({ host, link, file, filter: "ip or ip6" }));
  }
  let port = FIRST_PORT;
  for (const family of [4, 6] as const) {
    await askHttp(family, EXCHANGES, port);
    await askDns(family, EXCHANGES, port);
    port += EXCHANGES;
    const host = family === 4 ? virtual4 : `[${virtual6}]`;
    await run(
      inside(namespaceOf("client"), [
        "curl",
        "-sg",
        "--max-time",
        "20",
        "-o",
        "/dev/null",
        `http://${host}/page.bin`,
      ]),
    );
  }
  const lines: string[] = [];
  for (const capture of captures) {
    await capture.stop();
    lines.push(...await capture.lines("", "-vv"));
  }
  await offload(ends, "on");
  const bad = lines.filter((it) => BAD_CHECKSUM.test(it));
  const what = `${lines.filter((it) => GOOD_CHECKSUM.test(it)).length} checksums are right, 0 bad`;
  if (bad.length === 0 && lines.some((it) => GOOD_CHECKSUM.test(it))) return { what };
  return { what, problem: `${bad.length} bad: ${bad[0] ?? "no checksum seen"}` };
}

async function offload(ends: readonly (readonly [LabHost, string])[], state: "on" | "off"): Promise<void> {
  for (const [host, link] of ends) {
    await must(inside(namespaceOf(host), ["ethtool", "-K", link, "tx", state]));
  }
}
