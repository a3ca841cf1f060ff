/**
 * What a figure is, and what one run of it gives.
 */
import type { PeerName } from "../tests/peers/required_peers.ts";
import type { Target } from "./side.ts";

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
  /** What processor time is given for: a request in microseconds, a gigabyte in milliseconds. */
  readonly processorUnit: "us each" | "ms per GB";
  /** The program that makes the load. */
  readonly program: PeerName;
  /** Its command line, for the report. */
  readonly client: string;
  readonly target: Target;
  readonly measure: (port: number, signal: AbortSignal) => Promise<Measurement>;
}
