/**
 * What is measured.
 */
import { runWrk, wrkArguments, type WrkRun } from "./client.ts";
import type { Effort, Figure, RelativeFigure } from "./figure.ts";
import { IDLE_CLIENT, measureIdle } from "./idle.ts";
import { iperf3Arguments, runIperf3, type StreamRun } from "./iperf3.ts";
import { runOpenLoop } from "./open_loop.ts";
import type { Side } from "./side.ts";

/**
 * About an hour. V8 compiles while it warms up: of a new connection's processor time with two workers 20 % in the first three
 * seconds, 4 % in the next three, 0.2 % after nine.
 */
export const FULL: Effort = { warmUpRounds: 3, rounds: 9, secondsPerRun: 3 };
/** About ten minutes; the first figures warm up the later ones. */
export const SHORT: Effort = { warmUpRounds: 4, rounds: 3, secondsPerRun: 1 };

/** All figures, in the order of the report. */
export function figures({ secondsPerRun: seconds }: Effort): (Figure | RelativeFigure)[] {
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
    latencyFigure("latency-p50", seconds, 0.5),
    latencyFigure("latency-p99", seconds, 0.99),
    latencyFigure("latency-p99.9", seconds, 0.999),
    {
      name: "idle",
      title: "memory of an idle connection",
      unit: "bytes",
      better: "less",
      processorUnit: "none",
      client: IDLE_CLIENT,
      isFresh: true,
      measure: measureIdle,
    },
    {
      name: "start",
      title: "from the start of the program until it accepts",
      unit: "ms",
      better: "less",
      processorUnit: "none",
      client: "a connect every 10 ms",
      isFresh: true,
      measure: ({ readyAfterMs }) => Promise.resolve({ value: readyAfterMs, errors: 0 }),
    },
  ];
}

/** Half of what the reference reaches in a closed loop: busy, and far enough from where queues grow without end. */
const LOAD_SHARE = 0.5;
/** More than that the generator, which is JavaScript, cannot ask for in time beside a proxy on two cores. */
const GENERATOR_MOST = 10_000;
const LATENCY_CONNECTIONS = 50;

function latencyFigure(name: string, seconds: number, quantile: number): RelativeFigure {
  const figure = {
    name,
    title: `${
      name.replace("latency-", "")
    } of requests asked at planned times on ${LATENCY_CONNECTIONS} connections`,
    unit: "us",
    better: "less",
    processorUnit: "us each",
    program: "wrk",
  } as const;
  const prepare = async ({ ports }: Side, signal: AbortSignal): Promise<Figure> => {
    const knee = await runWrk(ports.http, { connections: LATENCY_CONNECTIONS, seconds, headers: [] }, signal);
    const half = Math.round(knee.value * LOAD_SHARE);
    const requestsPerSecond = Math.min(half, GENERATOR_MOST);
    const run = { requestsPerSecond, connections: LATENCY_CONNECTIONS, seconds };
    return {
      ...figure,
      client:
        `${requestsPerSecond}/s for ${seconds} s; half of what HAProxy reaches in a closed loop is ${half}/s`,
      measure: ({ ports }, signal) => runOpenLoop(ports.http, run, quantile, signal),
    };
  };
  return { ...figure, prepare };
}

function wrkFigure(name: string, title: string, run: WrkRun): Figure {
  return {
    name,
    title,
    unit: "/s",
    better: "more",
    processorUnit: "us each",
    program: "wrk",
    client: ["wrk", ...wrkArguments(run).map((it) => it.includes(" ") ? `"${it}"` : it)].join(" "),
    measure: ({ ports }, signal) => runWrk(ports.http, run, signal),
  };
}

function streamFigure(name: string, title: string, run: StreamRun): Figure {
  return {
    name,
    title,
    unit: "MB/s",
    better: "more",
    processorUnit: "ms per GB",
    program: "iperf3",
    client: ["iperf3", ...iperf3Arguments(run)].join(" "),
    measure: ({ ports }, signal) => runIperf3(ports.stream, run, signal),
  };
}
