/**
 * What is measured.
 */
import { runWrk, wrkArguments, type WrkRun } from "./client.ts";
import type { Figure } from "./figure.ts";
import { iperf3Arguments, runIperf3, type StreamRun } from "./iperf3.ts";

/** How long and how often. */
export interface Effort {
  /** Rounds of all sides, after one that is thrown away. */
  readonly rounds: number;
  readonly secondsPerRun: number;
}

/** About forty minutes. */
export const FULL: Effort = { rounds: 9, secondsPerRun: 3 };
/** About seven minutes. */
export const SHORT: Effort = { rounds: 3, secondsPerRun: 1 };

/** All figures, in the order of the report. */
export function figures({ secondsPerRun: seconds }: Effort): Figure[] {
  const kept = (connections: number): WrkRun => ({ connections, seconds, headers: [] });
  const fresh = (connections: number): WrkRun => ({ connections, seconds, headers: ["Connection: close"] });
  const stream = (streams: number, direction: StreamRun["direction"]): StreamRun => ({
    seconds,
    streams,
    direction,
  });
  return [
    wrkFigure("connections-1", "new connections, one at a time, one request on each", fresh(1)),
    wrkFigure("connections", "new connections, 50 at a time, one request on each", fresh(50)),
    wrkFigure("connections-1000", "new connections, 1,000 at a time, one request on each", fresh(1_000)),
    wrkFigure("requests-1", "requests on one kept connection", kept(1)),
    wrkFigure("requests", "requests on 50 kept connections", kept(50)),
    wrkFigure("requests-1000", "requests on 1,000 kept connections", kept(1_000)),
    streamFigure("download", "bytes from the real server on one connection", stream(1, "down")),
    streamFigure("download-8", "the same on eight connections", stream(8, "down")),
    streamFigure("upload", "bytes to the real server on one connection", stream(1, "up")),
    streamFigure("upload-8", "the same on eight connections", stream(8, "up")),
  ];
}

function wrkFigure(name: string, title: string, run: WrkRun): Figure {
  return {
    name,
    title,
    unit: "/s",
    processorUnit: "us each",
    program: "wrk",
    client: ["wrk", ...wrkArguments(run).map((it) => it.includes(" ") ? `"${it}"` : it)].join(" "),
    target: "http",
    measure: (port, signal) => runWrk(port, run, signal),
  };
}

function streamFigure(name: string, title: string, run: StreamRun): Figure {
  return {
    name,
    title,
    unit: "MB/s",
    processorUnit: "ms per GB",
    program: "iperf3",
    client: ["iperf3", ...iperf3Arguments(run)].join(" "),
    target: "stream",
    measure: (port, signal) => runIperf3(port, run, signal),
  };
}
