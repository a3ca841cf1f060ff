/**
 * Which packets of a capture had a firewall mark: no step tells of the rules, but the connections that came about do.
 *
 * @module
 */
import { PROTOCOL } from "../../net/flow.ts";
import { MARKED_PORT } from "./capture_lab.ts";
import type { CaptureStep } from "./capture_recording.ts";

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

/** Ports that had marks, in the order in which that shows. */
export function markedPorts(steps: readonly CaptureStep[]): MarkedPort[] {
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
  return [...usual(servers.keys()), ...marked.values()];
}

/** The first mark's own port, whose packets may have led to no connection. */
function usual(marks: Iterable<number>): MarkedPort[] {
  return [...marks].flatMap((mark) =>
    [PROTOCOL.tcp, PROTOCOL.udp].map((protocol) => ({ protocol, port: MARKED_PORT, mark }))
  );
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
