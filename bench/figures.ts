/**
 * What is measured.
 */
import { type Measurement, runCurl, runDownloads, runWrk, wrkArguments, type WrkRun } from "./client.ts";

/** One figure; higher is better. */
export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  /** What processor time is given for, beside the figure. */
  readonly processorUnit?: string;
  /** The program that makes the load. */
  readonly program: "wrk" | "curl";
  /** Its command line, for the report. */
  readonly client: string;
  readonly measure: (port: number, signal: AbortSignal) => Promise<Measurement>;
}

/** How long and how often. */
export interface Effort {
  /** Rounds of all sides, after one that is thrown away. */
  readonly rounds: number;
  readonly secondsPerRun: number;
  readonly bulkBytes: number;
}

/** About five minutes. */
export const FULL: Effort = { rounds: 7, secondsPerRun: 3, bulkBytes: 2 ** 30 };
/** About one minute. */
export const SHORT: Effort = { rounds: 3, secondsPerRun: 1, bulkBytes: 2 ** 28 };

const CONNECTIONS = 50;

/** All figures, in the order of the report. */
export function figures({ secondsPerRun, bulkBytes }: Effort): Figure[] {
  const many: WrkRun = { connections: CONNECTIONS, seconds: secondsPerRun, headers: [] };
  const fresh: WrkRun = { ...many, headers: ["Connection: close"] };
  return [
    wrkFigure("connections", "new connections, one request on each", fresh),
    wrkFigure("requests-1", "requests on one kept connection", { ...many, connections: 1 }),
    wrkFigure("requests", `requests on ${CONNECTIONS} kept connections`, many),
    wrkFigure("requests-1000", "requests on 1,000 kept connections", { ...many, connections: 1_000 }),
    {
      name: "bulk",
      title: `download of ${bulkBytes / 2 ** 20} MiB on one connection`,
      unit: "MB/s",
      processorUnit: "ms per GB",
      program: "curl",
      client: "curl",
      measure: (port, signal) => runCurl(port, bulkBytes, signal),
    },
    {
      name: "bulk-8",
      title: `eight downloads of ${bulkBytes / 2 ** 22} MiB at once`,
      unit: "MB/s",
      processorUnit: "ms per GB",
      program: "curl",
      client: "8 x curl, each a part of the file",
      measure: (port, signal) => runDownloads(port, bulkBytes / 4, 8, signal),
    },
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
    measure: (port, signal) => runWrk(port, run, signal),
  };
}
