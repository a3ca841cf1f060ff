/**
 * The load generators: wrk for many short exchanges, curl for one long one. Every run ends by itself.
 */
import { requirePeer } from "../tests/peers/required_peers.ts";

/** What one run found. `errors` counts refused, broken and timed-out connections and wrong answers. */
export interface Measurement {
  readonly value: number;
  readonly errors: number;
  /** Requests, or gigabytes (10^9 bytes), of the whole run: what processor time is divided by. */
  readonly units?: number;
}

/** Beyond its planned time a run gets this long before it is ended. */
const LATE_MS = 30_000;

/** Options of wrk that are the same for every side. */
export interface WrkRun {
  readonly connections: number;
  readonly seconds: number;
  readonly headers: readonly string[];
}

/** Command line of wrk for a run, the address left out. */
export function wrkArguments({ connections, seconds, headers }: WrkRun): string[] {
  return ["-t1", `-c${connections}`, `-d${seconds}s`, ...headers.flatMap((header) => ["-H", header])];
}

/** Answers per second. */
export async function runWrk(port: number, run: WrkRun, signal: AbortSignal): Promise<Measurement> {
  const args = [...wrkArguments(run), `http://127.0.0.1:${port}/`];
  return parseWrk(await output(requirePeer("wrk"), args, run.seconds * 1_000, signal));
}

/**
 * Reads what wrk prints; its lines about errors appear only when there were any.
 *
 * @throws {Error} when there is no rate in it
 */
export function parseWrk(text: string): Measurement {
  const rate = /^Requests\/sec:\s+([\d.]+)$/m.exec(text)?.[1];
  if (rate === undefined) throw new Error(`wrk printed no rate:\n${text}`);
  const sockets = /^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$/m.exec(text);
  const answers = /^\s*Non-2xx or 3xx responses: (\d+)$/m.exec(text);
  const counts = [...(sockets?.slice(1) ?? []), answers?.[1] ?? "0"].map(Number);
  const units = Number(/^\s*(\d+) requests in /m.exec(text)?.[1] ?? NaN);
  const errors = counts.reduce((sum, count) => sum + count, 0);
  return Number.isNaN(units) ? { value: Number(rate), errors } : { value: Number(rate), errors, units };
}

/** Megabytes (10^6) per second of downloads at the same time, from the first byte to the last. */
export async function runDownloads(
  port: number,
  bytes: number,
  streams: number,
  signal: AbortSignal,
): Promise<Measurement> {
  const startMs = performance.now();
  const runs = await Promise.all(Array.from({ length: streams }, () => runCurl(port, bytes, signal)));
  const seconds = (performance.now() - startMs) / 1_000;
  const errors = runs.reduce((sum, it) => sum + it.errors, 0);
  return { value: streams * bytes / 1e6 / seconds, errors, units: streams * bytes / 1e9 };
}

/** Megabytes (10^6) per second of one download; a short or broken one counts as an error. */
export async function runCurl(port: number, bytes: number, signal: AbortSignal): Promise<Measurement> {
  const format = "%{size_download} %{speed_download}";
  const args = [
    "-s",
    "-o",
    "/dev/null",
    "-w",
    format,
    "--max-time",
    "60",
    "-r",
    `0-${bytes - 1}`,
    `http://127.0.0.1:${port}/bulk`,
  ];
  const text = await output(requirePeer("curl"), args, 60_000, signal);
  const [received = 0, perSecond = 0] = text.split(" ").map(Number);
  return { value: perSecond / 1e6, errors: received === bytes ? 0 : 1, units: bytes / 1e9 };
}

async function output(
  command: string,
  args: string[],
  plannedMs: number,
  signal: AbortSignal,
): Promise<string> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(plannedMs + LATE_MS)]);
  const { stdout } = await new Deno.Command(command, { args, stdin: "null", signal: bounded }).output();
  signal.throwIfAborted();
  return new TextDecoder().decode(stdout);
}
