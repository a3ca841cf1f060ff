/**
 * What is said of an event.
 *
 * @module
 */
import type { Flow } from "../../net/flow.ts";
import type { EndReason } from "../engine.ts";

/** What ended; read by the writer before it returns. */
export interface EndedFacts {
  /** The client's side of it. */
  readonly flow: Flow;
  /** Handle, or -1 when none was chosen. */
  readonly destination: number;
  /** 0 when none was chosen. */
  readonly destinationFamily: number;
  readonly destinationAddress: Uint32Array;
  readonly destinationPort: number;
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** One record, refilled. */
export class EventRecord {
  kind = 0;
  service = 0;
  reason: EndReason = "done";
  destination = 0;
  destinationFamily = 0;
  readonly destinationAddress = new Uint32Array(4);
  destinationPort = 0;
  family: 4 | 6 = 4;
  readonly client = new Uint32Array(4);
  clientPort = 0;
  /** How many were dropped. */
  count = 0;
  durationMs = 0;
  bytesIn = 0;
  bytesOut = 0;
}
