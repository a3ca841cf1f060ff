/**
 * iperf3 as a load generator: bytes through as many connections as wanted, up or down.
 */
import { runClient } from "./client.ts";
import type { Measurement } from "./figure.ts";

/** What is moved, the same for every side. */
export interface StreamRun {
  readonly seconds: number;
  readonly streams: number;
  /** `down`: from the real server to the client. */
  readonly direction: "up" | "down";
}

/** Its server takes one client at a time, and needs a moment between two. */
const TRIES = 50;
const BUSY_MS = 100;

/** Command line of iperf3 for a run, the port left out. */
export function iperf3Arguments({ seconds, streams, direction }: StreamRun): string[] {
  return [
    "--client",
    "127.0.0.1",
    "--time",
    `${seconds}`,
    "--parallel",
    `${streams}`,
    ...(direction === "down" ? ["--reverse"] : []),
  ];
}

/** Megabytes (10^6) per second that arrived. */
export async function runIperf3(port: number, run: StreamRun, signal: AbortSignal): Promise<Measurement> {
  const args = [...iperf3Arguments(run), "--port", `${port}`, "--json"];
  for (let tries = 1;; tries++) {
    const text = await runClient("iperf3", args, run.seconds * 1_000, signal);
    const measured = parseIperf3(text);
    if (measured !== "busy") return measured;
    if (tries === TRIES) return { value: 0, errors: 1 };
    await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
  }
}

/**
 * Reads what iperf3 prints.
 *
 * @returns `busy` when the server still has another client
 * @throws {SyntaxError} for what is no JSON
 */
export function parseIperf3(text: string): Measurement | "busy" {
  const { error, end } = JSON.parse(text) as {
    readonly error?: string;
    readonly end?: { readonly sum_received?: { readonly bytes: number; readonly bits_per_second: number } };
  };
  if (error?.includes("busy")) return "busy";
  const received = end?.sum_received;
  if (error !== undefined || received === undefined) return { value: 0, errors: 1 };
  return { value: received.bits_per_second / 8e6, errors: 0, units: received.bytes / 1e9 };
}
