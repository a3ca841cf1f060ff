/**
 * What a figure is, and what one run of it gives.
 */
import type { PeerName } from "../tests/peers/required_peers.ts";
import type { Side } from "./side.ts";

/** What one run found. `errors` counts refused, broken and timed-out connections and wrong answers. */
export interface Measurement {
  readonly value: number;
  readonly errors: number;
  /** Requests, or gigabytes (10^9 bytes), of the whole run: what processor time is divided by. */
  readonly units?: number;
}

/** One figure. */
export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  /** Which value is the better one. */
  readonly better: "more" | "less";
  /** What processor time is given for: a request in microseconds, a gigabyte in milliseconds. */
  readonly processorUnit: "us each" | "ms per GB" | "none";
  /** The program that makes the load, unless the bench itself does. */
  readonly program?: PeerName;
  /** The load, for the report: a command line where it is a program's. */
  readonly client: string;
  /** Every round starts all sides anew; nothing is warmed up, and the way without a proxy is no side. */
  readonly isFresh?: boolean;
  readonly measure: (side: Side, signal: AbortSignal) => Promise<Measurement>;
}

/** A figure whose load depends on what the reference can do. */
export interface RelativeFigure extends Omit<Figure, "client" | "measure"> {
  /** Measures the reference, and fixes the load for all. */
  readonly prepare: (reference: Side, signal: AbortSignal) => Promise<Figure>;
}

/** How long and how often. */
export interface Effort {
  /** Rounds of all sides that are thrown away, before those that count. */
  readonly warmUpRounds: number;
  readonly rounds: number;
  readonly secondsPerRun: number;
}
