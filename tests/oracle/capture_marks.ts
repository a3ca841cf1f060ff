/**
 * Which packets of a capture had a firewall mark: no step tells of the rules, but the connections that came about do.
 *
 * @module
 */
import { PROTOCOL } from "../../net/flow.ts";
import { EthernetHeader } from "../../packet/ethernet.ts";
import { IpPacket } from "../../packet/ip_packet.ts";
import {
  ICMP_BYTES,
  ICMP_TYPE,
  ICMP_UNREACHABLE,
  ICMPV6_TYPE,
  ICMPV6_UNREACHABLE,
} from "../../packet/transport.ts";
import type { CaptureRecording, CaptureStep } from "./capture_recording.ts";

/** Packets of a protocol to a port have a mark. */
export interface MarkedPort {
  readonly protocol: number;
  readonly port: number;
  readonly mark: number;
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  TCP: PROTOCOL.tcp,
  UDP: PROTOCOL.udp,
  SCTP: PROTOCOL.sctp,
};
const PROTOCOL_OPTIONS: Readonly<Record<string, string>> = {
  "-t": "TCP",
  "-u": "UDP",
  "--sctp-service": "SCTP",
};
/** A connection of `-Lcn`: protocol, virtual address and port, destination without its port. */
const ROW = /^(TCP|UDP|SCTP) \d\d:\d\d +\S+ +\S+ +(\S+):([1-9]\d*) +(\S+):\d+$/gm;

/** Ports that had marks. */
export function markedPorts({ steps, frames }: Pick<CaptureRecording, "steps" | "frames">): MarkedPort[] {
  return [...refusedPorts(steps, [...frames.values()].flat()), ...connectedPorts(steps)];
}

/** TCP to a port without a service is reset by the host; only a service without a destination says "port unreachable". */
function refusedPorts(
  steps: readonly CaptureStep[],
  frames: readonly { readonly seconds: number; readonly bytes: Uint8Array }[],
): MarkedPort[] {
  const served = new Set(steps.map(({ step }) => /^ipvsadm -A -t \S+:(\d+)/.exec(step)?.[1]));
  if (served.has("0")) return [];
  return frames.flatMap(({ seconds, bytes }): MarkedPort[] => {
    const port = refusedPort(bytes);
    if (port === undefined || served.has(`${port}`)) return [];
    const mark = steps.findLast(({ t, step }) => t <= seconds && /^ipvsadm -A -f /.test(step))?.step.split(
      /\s+/,
    )[3];
    return mark === undefined ? [] : [{ protocol: PROTOCOL.tcp, port, mark: Number(mark) >>> 0 }];
  });
}

/** The port that a TCP client is told is unreachable. */
function refusedPort(bytes: Uint8Array): number | undefined {
  const [ethernet, packet, quoted] = [new EthernetHeader(), new IpPacket(), new IpPacket()];
  if (!ethernet.read(bytes, 0, bytes.length) || !packet.read(bytes, ethernet.payload, bytes.length)) {
    return undefined;
  }
  const { family, transport, end } = packet;
  const [type, code] = [bytes[transport], bytes[transport + 1]];
  const isRefusal = family === 4
    ? packet.protocol === 1 && type === ICMP_TYPE.destinationUnreachable && code === ICMP_UNREACHABLE.port
    : packet.protocol === 58 && type === ICMPV6_TYPE.destinationUnreachable &&
      code === ICMPV6_UNREACHABLE.port;
  if (!isRefusal || !quoted.readQuoted(bytes, transport + ICMP_BYTES, end)) return undefined;
  return quoted.protocol === PROTOCOL.tcp && quoted.hasPorts ? quoted.destinationPort : undefined;
}

/** Ports of connections that no service of an address explains. */
function connectedPorts(steps: readonly CaptureStep[]): MarkedPort[] {
  const marked = new Map<string, MarkedPort>();
  const servers = new Map<number, string[]>();
  const alive = new Set<string>();
  let seen = new Set<string>();
  /** Services that were there at some time since the last listing. */
  let recent = new Set<string>();
  for (const { step, rc = 0, out = "" } of steps) {
    const words = step.split(/\s+/);
    const [program, command = ""] = words;
    if (program !== "ipvsadm" || rc !== 0) continue;
    const mark = Number(valueOf(words, "-f")) >>> 0;
    if (mark !== 0 && !servers.has(mark)) servers.set(mark, []);
    if (command === "-a" && mark !== 0) servers.get(mark)?.push(hostOf(valueOf(words, "-r")));
    const service = serviceOf(words);
    if (command === "-C") alive.clear();
    else if (command === "-D") alive.delete(service);
    else if (command === "-A" && service !== "") {
      alive.add(service);
      recent.add(service);
    }
    const rows = [...out.matchAll(ROW)];
    for (const [row, protocol = "", address = "", port = "", server = ""] of rows) {
      const isCovered = recent.has(`${protocol} ${address}:${port}`) ||
        recent.has(`${protocol} ${address}:0`);
      const owner = [...servers].find(([, hosts]) => hosts.includes(server))?.[0];
      if (isCovered || owner === undefined || seen.has(keyOf(row))) continue;
      marked.set(`${protocol} ${port}`, {
        protocol: PROTOCOLS[protocol] ?? 0,
        port: Number(port),
        mark: owner,
      });
    }
    if (!out.startsWith("IPVS connection entries")) continue;
    seen = new Set(rows.map(([row]) => keyOf(row)));
    recent = new Set(alive);
  }
  return [...marked.values()];
}

/** A row without what changes. */
function keyOf(row: string): string {
  return row.replace(/ \d\d:\d\d +\S+/, "");
}

function serviceOf(words: readonly string[]): string {
  for (const [option, protocol] of Object.entries(PROTOCOL_OPTIONS)) {
    const address = valueOf(words, option);
    if (address !== undefined) return `${protocol} ${address}`;
  }
  return "";
}

/** An address without its port, as listings have it. */
function hostOf(server = ""): string {
  return server.startsWith("[") ? server.replace(/\]:\d+$/, "]") : server.replace(/:\d+$/, "");
}

function valueOf(words: readonly string[], option: string): string | undefined {
  const at = words.indexOf(option);
  return at < 0 ? undefined : words[at + 1];
}
