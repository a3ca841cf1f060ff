/**
 * wrk as a load generator: many short exchanges. Every run ends by itself.
 */
import { type PeerName, requirePeer } from "../tests/peers/required_peers.ts";
import type { Measurement } from "./figure.ts";

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
  return parseWrk(await runClient("wrk", args, run.seconds * 1_000, signal));
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

/** What a load generator prints until it ends, which it must do soon after its planned time. */
export async function runClient(
  name: PeerName,
  args: readonly string[],
  plannedMs: number,
  signal: AbortSignal,
): Promise<string> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(plannedMs + LATE_MS)]);
  const command = new Deno.Command(requirePeer(name), { args: [...args], stdin: "null", signal: bounded });
  const { stdout } = await command.output();
  signal.throwIfAborted();
  return new TextDecoder().decode(stdout);
}
