/**
 * The packet engine on several kinds of wires at once: two arms, one arm, a VLAN; the director's host forwards packets itself, or
 * does not. Nobody sees a packet twice, or a reset.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Capture } from "../../scripts/lab/capture.ts";
import { inside, must, run } from "../../scripts/lab/command.ts";
import { missingForLab } from "../../scripts/lab/needs.ts";
import { startServers } from "../../scripts/lab/servers.ts";
import { buildTopology, namespaceOf, removeTopology, SERVERS } from "../../scripts/lab/topology.ts";
import { TCP_FLAG } from "../../net/flow.ts";
import { BROADCAST_MAC, ETHERTYPE, parseMac, writeEthernet } from "../../packet/ethernet.ts";
import { frame, ipPacket } from "../unit/packet/frames.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const REQUESTS = 20;
const TRIES = 200;
const TRY_MS = 100;
const reason = await missingForLab();
const isPromised = Deno.env.get("CI") === "true";

/** How the client reaches each service: from which address, to which virtual one. */
const WAYS = [
  { what: "two arms", virtual: "10.1.0.100", from: "10.1.0.10" },
  { what: "one arm", virtual: "172.16.0.100", from: "10.9.0.10" },
] as const;
/** Behind a VLAN; not every kernel can give the client an interface there, so its frames are made by hand. */
const TAGGED = { vlan: 7, virtual: "10.7.0.100", from: "10.7.0.10", mac: "02:00:00:00:07:10" } as const;

const CONFIG = {
  admin: { listen: "off" },
  packet: {
    interfaces: [
      { name: "d0", addresses: ["10.1.0.1/24"] },
      { name: "d0", vlan: TAGGED.vlan, addresses: ["10.7.0.1/24"] },
      { name: "d1", addresses: ["172.16.0.1/24"] },
    ],
    routes: [{ to: "10.9.0.0/24", via: "172.16.0.10" }],
  },
  services: [...WAYS, TAGGED].map(({ virtual }, i) => ({
    name: `web${i}`,
    listen: `${virtual}:80`,
    mode: "nat",
    engine: "packet",
    scheduler: "rr",
    healthCheck: "off",
    destinations: ["172.16.0.11:8080", "172.16.0.12:8080", "172.16.0.13:8080"],
  })),
};

Deno.test({
  name: `the packet engine on two arms, a VLAN and one arm, with ip_forward 0 and 1${
    reason === undefined || isPromised ? "" : ` (skipped: ${reason})`
  }`,
  ignore: reason !== undefined && !isPromised,
  async fn() {
    assert.equal(reason, undefined);
    const folder = await Deno.makeTempDir({ prefix: "lvsd-lab-" });
    Deno.env.set("LVSD_LAB", `lvsd${Deno.pid}w`);
    let daemon: Deno.ChildProcess | undefined;
    try {
      await must(["chmod", "755", folder]);
      await buildTopology("nat");
      await addWires();
      await startServers("nat", folder);
      daemon = await startDaemon(folder);
      for (const forward of [0, 1]) {
        const sysctl = ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"].map((it) =>
          `${it}=${forward}`
        );
        await must(inside(namespaceOf("director"), ["sysctl", "-qw", ...sysctl]));
        for (const way of WAYS) await checkWay(way, `${way.what}, ip_forward ${forward}`, folder);
        await checkTagged(40_000 + forward, folder);
      }
    } finally {
      daemon?.kill("SIGKILL");
      await daemon?.status;
      await removeTopology();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Addresses of the host itself, which would answer and forward if it took the engine's packets; a client behind one arm. */
async function addWires(): Promise<void> {
  const on = async (host: string, ...commands: string[]) => {
    for (const command of commands) await must(inside(namespaceOf(host), command.split(" ")));
  };
  await on("director", "ip addr add 10.1.0.2/24 dev d0", "ip addr add 172.16.0.2/24 dev d1");
  await on("client", "ip addr add 10.9.0.10/32 dev c1");
  for (const server of SERVERS) {
    await on(server, "ip route add 10.7.0.0/24 via 172.16.0.1", "ip route add 10.9.0.0/24 via 172.16.0.1");
  }
}

async function startDaemon(folder: string): Promise<Deno.ChildProcess> {
  const config = join(folder, "lvsd.json");
  const admin = { ...CONFIG.admin, socket: join(folder, "control") };
  await Deno.writeTextFile(config, JSON.stringify({ ...CONFIG, admin }));
  const words = [Deno.execPath(), "run", "-A", MAIN, "run", "-c", config];
  const [program = "", ...args] = inside(namespaceOf("director"), words);
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  for (let tries = 0; tries < TRIES; tries++) {
    if ((await ask(WAYS[0], 1)).includes("rs")) return child;
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
  child.kill("SIGKILL");
  throw new Error("the daemon never answered");
}

type Way = typeof WAYS[number];

async function ask({ virtual, from }: Way, requests: number): Promise<string> {
  const urls = Array.from({ length: requests }, () => `http://${virtual}/who`);
  const words = ["curl", "-s", "--max-time", "5", "--interface", from, ...urls];
  return (await run(inside(namespaceOf("client"), words))).stdout;
}

/** All requests are answered in turn; on no wire is there a reset, or a packet twice. */
async function checkWay(way: Way, what: string, folder: string): Promise<void> {
  const captures = [];
  for (const [host, link] of [["client", "c0"], ["client", "c1"], ["rs1", "eth0"]] as const) {
    const file = join(folder, `${host}-${link}.pcap`);
    captures.push(await Capture.start({ host, link, file, filter: "" }));
  }
  const answers = (await ask(way, REQUESTS)).trim().split("\n");
  const [least, most] = [Math.floor(REQUESTS / 3), Math.ceil(REQUESTS / 3)];
  for (const server of SERVERS) {
    const count = answers.filter((it) => it === `${server} ${way.from}`).length;
    assert.ok(count === least || count === most, `${what}: ${answers.join(", ")}`);
  }
  let seen = 0;
  for (const capture of captures) {
    await capture.stop();
    const packets = await segmentsOf(capture);
    assert.deepEqual(packets.filter((it) => /Flags \[R/.test(it)), [], `${what}: resets`);
    const repeated = packets.filter((it, i) => packets.indexOf(it) !== i);
    assert.deepEqual(repeated, [], `${what}: packets that came twice`);
    seen += packets.length;
  }
  assert.ok(seen > REQUESTS * 8, `${what}: only ${seen} packets were captured`);
}

/** A question after the virtual address, then a SYN, both tagged: the answers have the tag, and the SYN has reached a server. */
async function checkTagged(port: number, folder: string): Promise<void> {
  const { vlan, from, virtual, mac } = TAGGED;
  const filter = `vlan ${vlan}`;
  const capture = await Capture.start({
    host: "client",
    link: "c0",
    file: join(folder, "tagged.pcap"),
    filter,
  });
  await sendFrame(arpQuestion());
  const answer = await packetLike(
    capture,
    `vlan ${vlan} and arp`,
    / Reply 10\.7\.0\.100 is-at ([0-9a-f:]{17})/,
  );
  const syn = ipPacket({
    source: from,
    destination: virtual,
    protocol: 6,
    sourcePort: port,
    flags: TCP_FLAG.syn,
  });
  await sendFrame(frame(syn, mac, answer[1] ?? "", vlan));
  await packetLike(
    capture,
    `vlan ${vlan} and tcp and dst port ${port}`,
    /vlan 7, .* 10\.7\.0\.100\.80 > 10\.7\.0\.10\.4000\d: Flags \[S\.\]/,
  );
  await capture.stop();
}

function arpQuestion(): Uint8Array {
  const bytes = new Uint8Array(18 + 28);
  const sender = parseMac(TAGGED.mac);
  assert.ok(sender !== undefined);
  writeEthernet(bytes, 18, BROADCAST_MAC, sender, ETHERTYPE.arp, TAGGED.vlan);
  bytes.set([0, 1, 8, 0, 6, 4, 0, 1, ...sender, 10, 7, 0, 10, 0, 0, 0, 0, 0, 0, 10, 7, 0, 100], 18);
  return bytes;
}

async function sendFrame(bytes: Uint8Array): Promise<void> {
  const [program = "", ...args] = inside(namespaceOf("client"), ["socat", "-u", "STDIN", "INTERFACE:c0"]);
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "null" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bytes);
  await writer.close();
  assert.ok((await child.status).success, "socat sent the frame");
}

/** Waits for a packet of which a capture says this. */
async function packetLike(capture: Capture, filter: string, wanted: RegExp): Promise<RegExpExecArray> {
  for (let tries = 0; tries < TRIES; tries++) {
    const found = wanted.exec((await capture.lines(filter, "-e")).join("\n"));
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
  assert.fail(`no packet like ${wanted} came`);
}

/** TCP packets, one text each, without what forwarding changes: a packet that came twice is there twice. */
async function segmentsOf(capture: Capture): Promise<string[]> {
  const lines = await capture.lines("tcp", "-t", "-v", "-S");
  const packets: string[] = [];
  for (const line of lines) {
    // What a segment carries, in words.
    if (line.startsWith("\t")) continue;
    if (line.startsWith(" ")) packets.push(`${packets.pop() ?? ""} ${line.trim()}`);
    else packets.push(line.replace(/ttl \d+, /, ""));
  }
  return packets;
}
