/**
 * Metrics of the director as a whole.
 *
 * @module
 */
import { counter, type Emit, gauge, type Metric } from "./metric.ts";
import type { Status, WorkerStatus } from "./source.ts";

export const DIRECTOR_METRICS: readonly Metric[] = [
  gauge(
    "lvs_build_info",
    "Always 1; the labels tell what runs.",
    ["version", "engine"],
    ({ status }, emit) => {
      emit({ version: status.version, engine: status.engine.name }, 1);
    },
  ),
  gauge("lvs_start_time_seconds", "Start of the director, seconds since 1970.", [], ({ status }, emit) => {
    emit({}, epochSeconds(status.startedWall));
  }),
  gauge("lvs_ready", "1 when every service can serve (as /readyz), else 0.", [], ({ readiness }, emit) => {
    emit({}, Number(readiness.ready));
  }),
  gauge("lvs_draining", "1 after SIGTERM: no new connections are taken.", [], ({ status }, emit) => {
    emit({}, Number(status.draining));
  }),
  gauge(
    "lvs_config_generation",
    "1 at the start, grows with every applied reload.",
    [],
    ({ status }, emit) => {
      emit({}, status.configGeneration);
    },
  ),
  gauge(
    "lvs_config_last_reload_successful",
    "1 when the last reload was applied (or there was none), 0 when its file had mistakes.",
    [],
    ({ status }, emit) => emit({}, Number(status.lastReload?.ok ?? true)),
  ),
  gauge(
    "lvs_config_last_reload_timestamp_seconds",
    "Last reload, applied or not, or the start; seconds since 1970.",
    [],
    ({ status }, emit) => emit({}, epochSeconds(status.lastReload?.atWall ?? status.startedWall)),
  ),
  gauge(
    "lvs_connection_entries",
    "Entries in the connection table, ended ones included.",
    [],
    ({ status }, emit) => {
      emit({}, status.connectionTable.entries);
    },
  ),
  gauge("lvs_connection_entries_limit", "Entries the connection table can hold.", [], ({ status }, emit) => {
    emit({}, status.connectionTable.capacity);
  }),
  gauge("lvs_memory_resident_bytes", "Resident memory of the process.", [], ({ status }, emit) => {
    emit({}, status.memory.rssBytes);
  }),
  gauge("lvs_memory_heap_used_bytes", "JavaScript heap in use.", [], ({ status }, emit) => {
    emit({}, status.memory.heapUsedBytes);
  }),
  counter(
    "lvs_worker_turns_total",
    "Turns of a worker's loop; native engine only.",
    ["worker"],
    ({ status }, emit) => eachWorker(status, emit, ({ turns }) => turns),
  ),
  counter(
    "lvs_worker_busy_seconds_total",
    "Time in these turns: work, garbage collection, and a processor taken away.",
    ["worker"],
    ({ status }, emit) => eachWorker(status, emit, ({ busySeconds }) => busySeconds),
  ),
  gauge(
    "lvs_worker_longest_turn_seconds",
    "Longest turn of the last 10 to 20 seconds: for so long somebody may have waited.",
    ["worker"],
    ({ status }, emit) => eachWorker(status, emit, ({ longestTurnSeconds }) => longestTurnSeconds),
  ),
  gauge(
    "lvs_worker_connections",
    "Live connections and UDP sessions of a worker.",
    ["worker"],
    ({ status }, emit) => eachWorker(status, emit, ({ connections }) => connections),
  ),
  counter(
    "lvs_log_records_dropped_total",
    "Log records dropped for a slow reader of the log.",
    [],
    ({ status }, emit) => {
      emit({}, status.logDropped);
    },
  ),
  counter(
    "lvs_drops_total",
    "Dropped or refused outside of any service, by reason.",
    ["reason"],
    ({ status }, emit) => {
      for (const [reason, count] of Object.entries(status.drops)) emit({ reason }, count);
    },
  ),
];

function eachWorker({ workers }: Status, emit: Emit, read: (worker: WorkerStatus) => number): void {
  for (const it of workers) emit({ worker: `${it.worker}` }, read(it));
}

function epochSeconds(wall: string): number {
  return Date.parse(wall) / 1_000;
}
