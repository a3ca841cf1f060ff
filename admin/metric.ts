/**
 * A metric as one row: name, type, labels, help text and how to read it from a status. docs/metrics.md is the table of
 * all rows (a test keeps them equal).
 *
 * Labels are names from the config and words from closed lists, never a client's address: the number of series is
 * bounded by `LIMITS.services` and `LIMITS.destinations`.
 *
 * @module
 */
import type { Counters, Readiness, ServiceStatus, Status } from "./source.ts";

/** What a scrape is made from. */
export interface MetricView {
  readonly status: Status;
  readonly readiness: Readiness;
}

export type Labels = Readonly<Record<string, string>>;
/** Takes one series. */
export type Emit = (labels: Labels, value: number) => void;

export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly labels: readonly string[];
  readonly help: string;
  readonly collect: (view: MetricView, emit: Emit) => void;
}

export function gauge(
  name: string,
  help: string,
  labels: readonly string[],
  collect: Metric["collect"],
): Metric {
  return { name, type: "gauge", labels, help, collect };
}

export function counter(
  name: string,
  help: string,
  labels: readonly string[],
  collect: Metric["collect"],
): Metric {
  return { name, type: "counter", labels, help, collect };
}

/** Reads every service; `labels` of `read` come on top of `service`. */
export function eachService(read: (service: ServiceStatus, emit: Emit) => void): Metric["collect"] {
  return ({ status }, emit) => {
    for (const service of status.services) {
      read(service, (labels, value) => emit({ service: service.name, ...labels }, value));
    }
  };
}

export function emitBytes(counters: Counters, emit: Emit): void {
  emit({ direction: "in" }, counters.bytesIn);
  emit({ direction: "out" }, counters.bytesOut);
}

export function emitPackets(counters: Counters, emit: Emit): void {
  emit({ direction: "in" }, counters.packetsIn);
  emit({ direction: "out" }, counters.packetsOut);
}
