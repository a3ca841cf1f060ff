/**
 * Uploads through every tunnel: the client's super-packets, which the director hands to the system whole or cuts up, come out as
 * the same bytes.
 *
 * @module
 */
import { join } from "node:path";
import { Capture } from "./capture.ts";
import { type CheckLine, serveAll, TUNNELS, useTunnel } from "./checks.ts";
import { inside, must, run } from "./command.ts";
import type { DirectorProcess } from "./director_process.ts";
import { BAD_CHECKSUM, GOOD_CHECKSUM } from "./reply_checks.ts";
import { ADDRESS, namespaceOf, SERVERS } from "./topology.ts";

const MEBIBYTES = 4;
/** A whole segment; tcpdump's buffer holds the fewer the larger they may be. */
const SEGMENT_BYTES = 2_048;

/** Over IPv4 each tunnel, over IPv6 the plain one; where a checksum is in the tunnel tcpdump looks at each segment. */
export async function* checkUploads(director: DirectorProcess, folder: string): AsyncGenerator<CheckLine> {
  const file = join(folder, "upload.bin");
  await must(["dd", "if=/dev/urandom", `of=${file}`, "bs=1M", `count=${MEBIBYTES}`, "status=none"]);
  await serveAll(director, "tun", "rr");
  const plain = `tun IPv6: ${MEBIBYTES} MiB up are equal`;
  yield line(plain, await upload(folder, file, `[${ADDRESS.virtual6}]`, "ipv6.bin"));
  for (const [i, tunnel] of TUNNELS.entries()) {
    await useTunnel(director, tunnel);
    const captures = tunnel.includes("csum") ? await captureAll(folder, `upload-${i}`) : [];
    const problem = await upload(folder, file, ADDRESS.virtual4, `tunnel-${i}.bin`);
    const what = `tun ${tunnel}: ${MEBIBYTES} MiB up are equal`;
    if (captures.length === 0) yield line(what, problem);
    else yield await judge(what, problem, captures);
  }
}

/** Puts a file to the service; what is wrong with what arrived, undefined if nothing. */
export async function upload(
  folder: string,
  file: string,
  host: string,
  name: string,
): Promise<string | undefined> {
  const words = ["curl", "-sg", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}", "-T", file];
  const { code, stdout } = await run(
    inside(namespaceOf("client"), [...words, `http://${host}/upload/${name}`]),
  );
  const wanted = (await must(["sha256sum", file])).split(" ")[0];
  for (const server of SERVERS) {
    const path = join(folder, server, "upload", name);
    const arrived = await run(["sha256sum", path]);
    if (arrived.code !== 0) continue;
    return arrived.stdout.split(" ")[0] === wanted ? undefined : `${path} is not what was sent`;
  }
  return `nothing arrived: HTTP ${stdout}, curl: ${code}`;
}

async function captureAll(folder: string, name: string): Promise<Capture[]> {
  const filter = "proto gre or udp port 6080";
  const captures: Capture[] = [];
  for (const host of SERVERS) {
    const file = join(folder, `${name}-${host}.pcap`);
    captures.push(await Capture.start({ host, link: "eth0", file, filter, snapBytes: SEGMENT_BYTES }));
  }
  return captures;
}

async function judge(
  what: string,
  problem: string | undefined,
  captures: readonly Capture[],
): Promise<CheckLine> {
  const lines: string[] = [];
  for (const capture of captures) {
    await capture.stop();
    lines.push(...await capture.lines("", "-vv"));
  }
  const bad = lines.filter((it) => BAD_CHECKSUM.test(it));
  const good = lines.filter((it) => GOOD_CHECKSUM.test(it));
  const text = `${what}, ${good.length} checksums right, 0 bad`;
  if (bad.length > 0 || good.length === 0) return line(text, `${bad.length} bad: ${bad[0] ?? "none seen"}`);
  return line(text, problem);
}

function line(what: string, problem: string | undefined): CheckLine {
  return problem === undefined ? { what } : { what, problem };
}
