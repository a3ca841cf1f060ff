/**
 * What is measured.
 */
import { type Measurement, runCurl, runWrk, wrkArguments, type WrkRun } from "./client.ts";

/** One figure; higher is better. */
export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
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
    wrkFigure("requests", `requests on ${CONNECTIONS} kept connections`, many),
    {
      name: "bulk",
      title: `download of ${bulkBytes / 2 ** 20} MiB on one connection`,
      unit: "MB/s",
      program: "curl",
      client: "curl",
      measure: (port, signal) => runCurl(port, bulkBytes, signal),
    },
  ];
}

function wrkFigure(name: string, title: string, run: WrkRun): Figure {
  return {
    name,
    title,
    unit: "/s",
    program: "wrk",
    client: ["wrk", ...wrkArguments(run).map((it) => it.includes(" ") ? `"${it}"` : it)].join(" "),
    measure: (port, signal) => runWrk(port, run, signal),
  };
}
