/**
 * `deno task bench:soak [--minutes N]`: the native engine under full load for a long time. Does its memory stay flat, does
 * it stall for longer than the machine keeps an idle thread waiting, does it leak descriptors?
 */
import { parseOptions } from "../cli/options.ts";
import { EXIT, UsageError } from "../errors.ts";
import type { Status } from "../admin/source.ts";
import { freePort } from "../tests/peers/free_port.ts";
import { requirePeer } from "../tests/peers/required_peers.ts";
import { type Measurement } from "./figure.ts";
import { runWrk, type WrkRun } from "./client.ts";
import { startNative } from "./lvsd_side.ts";
import { OpenLoop } from "./open_loop.ts";
import { printLine, runTask, showProgress } from "./task.ts";
import { startServer } from "./topology.ts";

const MOST_MINUTES = 120;
const SLICE_SECONDS = 10;
/** Before anything counts each kind of load runs so long; pools and compiled code are there then. */
const WARM_UP_SECONDS = 5;
/**
 * Requests a second that look for pauses, beside the load, on so many connections of each way. On a single one they would
 * queue behind each other: among 1,000 others that ask all the time an answer takes 15 ms, three times what is between them.
 */
const PROBES_PER_SECOND = 200;
const PROBE_CONNECTIONS = 20;
const DESCRIPTOR_WAIT_MS = 10_000;

const LOADS: readonly WrkRun[] = [
  { connections: 50, seconds: SLICE_SECONDS, headers: [] },
  { connections: 50, seconds: SLICE_SECONDS, headers: ["Connection: close"] },
  { connections: 1_000, seconds: SLICE_SECONDS, headers: [] },
];

const USAGE = `usage: deno task bench:soak [--minutes N]
  --minutes N  how long the load lasts, after ${
  WARM_UP_SECONDS * LOADS.length
} s to warm up (default 10; a part is allowed, at most ${MOST_MINUTES})
  -h, --help   this text

A line for each ${SLICE_SECONDS} s of load: memory, rate, errors. Then memory of both halves, the longest waits, descriptors.
Needs Linux and wrk. Exit codes: 0 no error and no descriptor left behind, 1 otherwise, 2 usage.

Example:
  deno task bench:soak --minutes 2
`;

interface Sample {
  readonly atSeconds: number;
  readonly residentBytes: number;
  /** Of the worker, from before this slice or in it. */
  readonly longestTurnMs: number;
  readonly rate: number;
  readonly errors: number;
}

async function soak(seconds: number, stop: AbortSignal): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startServer());
  const adminPort = await freePort();
  const side = await startNative({ http: server.port, stream: server.port }, 1, adminPort);
  for (const process of side.processes) stack.use(process);
  const [pid = 0] = side.pids;
  const within = (milliseconds: number) => AbortSignal.any([stop, AbortSignal.timeout(milliseconds)]);
  showProgress(`warming up, ${WARM_UP_SECONDS * LOADS.length} s`);
  const warming = within(WARM_UP_SECONDS * LOADS.length * 1_000 + 60_000);
  for (const run of LOADS) await runWrk(side.ports.http, { ...run, seconds: WARM_UP_SECONDS }, warming);
  const descriptorsBefore = await settledDescriptors(pid, side.ports.http);
  const idle = new Worker(new URL("./pauses.ts", import.meta.url), { type: "module" });
  const probe = { requestsPerSecond: PROBES_PER_SECOND, connections: PROBE_CONNECTIONS, seconds };
  const signal = within(seconds * 1_000 + 120_000);
  const [samples, through, direct] = await Promise.all([
    load({ port: side.ports.http, adminPort, pid }, seconds, signal),
    latencies(side.ports.http, probe, signal),
    latencies(server.port, probe, signal),
  ]);
  const gapsMs = await longestGaps(idle);
  idle.terminate();
  const descriptorsAfter = await settledDescriptors(pid, side.ports.http);
  return report(samples, { through, direct, gapsMs }, descriptorsBefore, descriptorsAfter);
}

async function load(
  { port, adminPort, pid }: { readonly port: number; readonly adminPort: number; readonly pid: number },
  seconds: number,
  signal: AbortSignal,
): Promise<Sample[]> {
  const startMs = performance.now();
  const samples: Sample[] = [];
  for (let i = 0; performance.now() - startMs < seconds * 1_000; i++) {
    const run = LOADS[i % LOADS.length];
    if (run === undefined) break;
    const kind = run.headers.length === 0 ? "requests" : "new connections";
    const elapsed = ((performance.now() - startMs) / 1_000).toFixed(0);
    showProgress(`${elapsed} of ${seconds} s: ${kind} on ${run.connections}, ${run.seconds} s`);
    const { value, errors }: Measurement = await runWrk(port, run, signal);
    const sample = {
      atSeconds: (performance.now() - startMs) / 1_000,
      residentBytes: residentBytes(pid),
      longestTurnMs: await longestTurnMs(adminPort, signal),
      rate: value,
      errors,
    };
    samples.push(sample);
    printLine(
      `${sample.atSeconds.toFixed(0).padStart(4)} s  ${mebibytes(sample.residentBytes)} MiB  ` +
        `${value.toFixed(0)} ${kind}/s on ${run.connections}, ${errors} errors, ` +
        `longest turn ${sample.longestTurnMs.toFixed(1)} ms`,
    );
  }
  return samples;
}

/** A slice is as long as lvsd remembers at least. */
async function longestTurnMs(adminPort: number, signal: AbortSignal): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/status`, { signal });
  const { workers }: Pick<Status, "workers"> = await answer.json();
  return Math.max(...workers.map((it) => it.longestTurnSeconds * 1_000));
}

/** Milliseconds, the longest first. */
async function latencies(
  port: number,
  run: { readonly requestsPerSecond: number; readonly connections: number; readonly seconds: number },
  signal: AbortSignal,
): Promise<readonly number[]> {
  using loop = await OpenLoop.connect(port, run);
  await loop.run(signal);
  return loop.latenciesMs.toSorted((a, b) => b - a);
}

function longestGaps(idle: Worker): Promise<readonly number[]> {
  const { promise, resolve } = Promise.withResolvers<readonly number[]>();
  idle.onmessage = ({ data }: MessageEvent<readonly number[]>) => resolve(data);
  idle.postMessage("report");
  return promise;
}

interface Pauses {
  readonly through: readonly number[];
  readonly direct: readonly number[];
  readonly gapsMs: readonly number[];
}

function report(samples: readonly Sample[], pauses: Pauses, before: number, after: number): boolean {
  const half = Math.ceil(samples.length / 2);
  const [early, late] = [samples.slice(0, half), samples.slice(half)].map((it) => median(it));
  const errors = samples.reduce((sum, it) => sum + it.errors, 0);
  printLine("");
  printLine(
    `memory after warming up: first half ${mebibytes(early)} MiB, second half ${
      mebibytes(late)
    } MiB (medians)`,
  );
  printLine("longest waits, milliseconds       longest   10th longest   100th longest");
  for (
    const [name, values] of [
      ["an idle Deno loop, 1 ms timer", pauses.gapsMs],
      ["a request without a proxy", pauses.direct],
      ["a request through lvsd", pauses.through],
    ] as const
  ) {
    printLine(`  ${name.padEnd(30)}  ${[values[0], values[9], values[99]].map(milliseconds).join("   ")}`);
  }
  const turnsMs = samples.map((it) => it.longestTurnMs).sort((a, b) => b - a);
  printLine(
    `longest turn of lvsd's worker:${
      milliseconds(turnsMs[0])
    } ms; of half of the slices no turn was longer than ` +
      `${(turnsMs[Math.floor(turnsMs.length / 2)] ?? 0).toFixed(1)} ms`,
  );
  printLine(`descriptors: ${before} before, ${after} after; errors: ${errors}`);
  return errors === 0 && after <= before;
}

function median(samples: readonly Sample[]): number {
  const sorted = samples.map((it) => it.residentBytes).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Descriptors when the last connections of a load have been closed on both sides. */
async function settledDescriptors(pid: number, port: number): Promise<number> {
  const lateMs = performance.now() + DESCRIPTOR_WAIT_MS;
  while (hasConnections(port) && performance.now() < lateMs) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return countDescriptors(pid);
}

/** Whether a socket at this port is in a state that a program still holds: all but LISTEN and TIME_WAIT. */
function hasConnections(port: number): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return Deno.readTextFileSync("/proc/net/tcp").split("\n").some((line) => {
    const [, address = "", , state = ""] = line.trim().split(/\s+/);
    return address.endsWith(local) && state !== "0A" && state !== "06";
  });
}

function countDescriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]) * 1_024;
}

function mebibytes(bytes = 0): string {
  return (bytes / 2 ** 20).toFixed(1).padStart(6);
}

function milliseconds(value = 0): string {
  return value.toFixed(1).padStart(12);
}

async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseOptions(args, { minutes: { type: "string", default: "10" } });
  if (positionals.length > 0) {
    throw new UsageError("BAD_ARGUMENTS", `takes no arguments, got ${positionals.join(" ")}`);
  }
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= MOST_MINUTES)) {
    throw new UsageError(
      "OPTION_INVALID",
      `--minutes "${values.minutes}" is not a number above 0 and up to ${MOST_MINUTES}`,
    );
  }
  requirePeer("wrk");
  return await soak(minutes * 60, signal) ? EXIT.ok : EXIT.failed;
}

if (import.meta.main) Deno.exit(await runTask({ name: "bench:soak", usage: USAGE, run: main }, Deno.args));
