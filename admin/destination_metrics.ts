/**
 * Metrics of each destination.
 *
 * @module
 */
import { counter, eachService, type Emit, emitBytes, emitPackets, gauge, type Metric } from "./metric.ts";
import type { DestinationStatus, ServiceStatus } from "./source.ts";

const DESTINATION = ["service", "destination"];

export const DESTINATION_METRICS: readonly Metric[] = [
  gauge(
    "lvs_destination_info",
    "Always 1; address is where the destination's name points now.",
    [...DESTINATION, "address"],
    eachDestination(({ address }, emit) => emit({ address }, 1)),
  ),
  gauge(
    "lvs_destination_up",
    "1 when it may get connections (up or unchecked), else 0.",
    DESTINATION,
    eachDestination(({ state }, emit) => emit({}, Number(state === "up" || state === "unchecked"))),
  ),
  gauge(
    "lvs_destination_state",
    "1 for the state the destination is in; absent for the others.",
    [...DESTINATION, "state"],
    eachDestination(({ state }, emit) => emit({ state }, 1)),
  ),
  gauge(
    "lvs_destination_health_age_seconds",
    "How long its health has been what it is; absent where nothing watches it.",
    DESTINATION,
    eachDestination(({ health }, emit) => {
      if (health !== null) emit({}, health.sinceSeconds);
    }),
  ),
  gauge(
    "lvs_destination_down_reason",
    "1 for why its health is down: path is the way to it, refused the service itself; absent while it is up.",
    [...DESTINATION, "reason"],
    eachDestination(({ health }, emit) => {
      if (health !== null && !health.up) emit({ reason: health.reason }, 1);
    }),
  ),
  gauge(
    "lvs_destination_weight",
    "Weight in force: health, drain and slow start included; 0 is quiesced.",
    DESTINATION,
    eachDestination(({ effectiveWeight }, emit) => emit({}, effectiveWeight)),
  ),
  gauge(
    "lvs_destination_configured_weight",
    "Weight in the config or set by ipvsadm.",
    DESTINATION,
    eachDestination(({ configuredWeight }, emit) => emit({}, configuredWeight)),
  ),
  gauge(
    "lvs_destination_active_connections",
    "ActiveConn: established connections.",
    DESTINATION,
    eachDestination(({ activeConns }, emit) => emit({}, activeConns)),
  ),
  gauge(
    "lvs_destination_inactive_connections",
    "InActConn: entries in any other state, waiting for their time-out.",
    DESTINATION,
    eachDestination(({ inactiveConns }, emit) => emit({}, inactiveConns)),
  ),
  gauge(
    "lvs_destination_persistent_connections",
    "Persistence templates that point at it.",
    DESTINATION,
    eachDestination(({ persistentConns }, emit) => emit({}, persistentConns)),
  ),
  gauge(
    "lvs_destination_overloaded",
    "1 while it is over its upper threshold and gets nothing new.",
    DESTINATION,
    eachDestination(({ overloaded }, emit) => emit({}, Number(overloaded))),
  ),
  gauge(
    "lvs_destination_upper_threshold",
    "Connections at which it gets no more; 0 is off.",
    DESTINATION,
    eachDestination(({ upperThreshold }, emit) => emit({}, upperThreshold)),
  ),
  gauge(
    "lvs_destination_lower_threshold",
    "Connections below which it gets some again; 0 takes 3/4 of the upper threshold.",
    DESTINATION,
    eachDestination(({ lowerThreshold }, emit) => emit({}, lowerThreshold)),
  ),
  counter(
    "lvs_destination_connections_total",
    "Connections scheduled to it.",
    DESTINATION,
    eachDestination(({ counters }, emit) => emit({}, counters.connections)),
  ),
  counter(
    "lvs_destination_packets_total",
    "Packets to (in) and from (out) it; absent where the engine sees no packets.",
    [...DESTINATION, "direction"],
    eachDestination(({ counters }, emit, service) => {
      if (service.packetsCounted) emitPackets(counters, emit);
    }),
  ),
  counter(
    "lvs_destination_bytes_total",
    "Bytes to (in) and from (out) it.",
    [...DESTINATION, "direction"],
    eachDestination(({ counters }, emit) => emitBytes(counters, emit)),
  ),
];

/** Reads every destination; `labels` of `read` come on top of `service` and `destination`. */
function eachDestination(
  read: (destination: DestinationStatus, emit: Emit, service: ServiceStatus) => void,
): Metric["collect"] {
  return eachService((service, emit) => {
    for (const [destination, name] of withUniqueNames(service.destinations)) {
      read(destination, (labels, value) => emit({ destination: name, ...labels }, value), service);
    }
  });
}

/** Two destinations may bear one name; their counters must not flow together, so both get their address added. */
function withUniqueNames(destinations: readonly DestinationStatus[]): [DestinationStatus, string][] {
  const uses = new Map<string, number>();
  for (const { name } of destinations) uses.set(name, (uses.get(name) ?? 0) + 1);
  return destinations.map((it) => [it, uses.get(it.name) === 1 ? it.name : `${it.name} (${it.address})`]);
}
