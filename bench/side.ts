/**
 * A side of the comparison, and what is the same for all of them.
 */
import { LIMITS } from "../limits.ts";
import { freePort } from "../tests/peers/free_port.ts";
import type { PeerName } from "../tests/peers/required_peers.ts";
import { requirePeer } from "../tests/peers/required_peers.ts";

/** The real servers: `http` is nginx, which answers wrk; `stream` is iperf3, which takes or gives bytes. */
export type Target = "http" | "stream";

/** A port for each real server: its own, or that of a proxy before it. */
export type Ports = Readonly<Record<Target, number>>;

/** A way to the real servers. */
export interface Side {
  readonly name: string;
  readonly version: string;
  /** What it was told, line by line; every side logs no connection and sets TCP_NODELAY. */
  readonly settings: readonly string[];
  readonly ports: Ports;
  /** Whose processor time and memory are measured; none for the way without a proxy. */
  readonly pids: readonly number[];
  /** From the start of its program until it accepted, milliseconds; 0 without a proxy. */
  readonly readyAfterMs: number;
  /** The only figures it is there for; undefined: all. */
  readonly onlyFor?: readonly string[];
}

/** A side that runs, until it is disposed of. */
export interface StartedSide extends Side {
  readonly processes: readonly AsyncDisposable[];
}

/** Starts a side before these real servers, with so many threads. */
export type StartSide = (servers: Ports, threads: number) => Promise<StartedSide>;

// Equal for all: the accept queue, and the bytes that a direction may hold (lvsd's own limits).
export const BACKLOG = LIMITS.tcpBacklogConnections;
export const BUFFER_BYTES = LIMITS.relayBufferBytes;
/** At once on each side: the idle ones of a figure, two descriptors each, within a usual hard limit of 20,000. */
export const CONNECTIONS = 8_500;

/** A second port for a program that was given its first. */
export async function portsFrom(http: number): Promise<Ports> {
  return { http, stream: await freePort() };
}

/** Processes and their children: nginx works in children. */
export function processesOf(pids: readonly number[]): number[] {
  return pids.flatMap((pid) => {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim();
    return children === "" ? [pid] : [pid, ...children.split(" ").map(Number)];
  });
}

/** First line of what a program says about its version, on either output. */
export async function version(name: PeerName, option: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(requirePeer(name), { args: [option] }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return text.split("\n")[0]?.replace(/ - https:.*$/, "") ?? name;
}
