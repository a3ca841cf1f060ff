/**
 * Metrics of each virtual service.
 *
 * @module
 */
import { counter, eachService, emitBytes, emitPackets, gauge, type Metric } from "./metric.ts";

const SERVICE_INFO = ["service", "protocol", "listen", "scheduler", "mode", "engine"];

export const SERVICE_METRICS: readonly Metric[] = [
  gauge(
    "lvs_service_info",
    "Always 1; the labels tell how the service is set up.",
    SERVICE_INFO,
    eachService(({ protocol, listen, scheduler, mode, engine }, emit) => {
      emit({ protocol, listen, scheduler, mode, engine }, 1);
    }),
  ),
  gauge(
    "lvs_service_state",
    "1 for the state the service is in; absent for the others.",
    ["service", "state"],
    eachService(({ state }, emit) => emit({ state }, 1)),
  ),
  gauge(
    "lvs_service_emulated",
    "1 when the engine does something else that looks like the forwarding method asked for; reason says what.",
    ["service", "reason"],
    eachService((service, emit) => emit({ reason: service.emulatedReason }, Number(service.emulated))),
  ),
  gauge(
    "lvs_service_live_connections",
    "Client connections and UDP sessions that hold a socket now.",
    ["service"],
    eachService((service, emit) => emit({}, service.liveConnections)),
  ),
  gauge(
    "lvs_service_sorry_server_active",
    "1 while the sorry server stands in; only for services that have one.",
    ["service"],
    eachService((service, emit) => {
      if (service.sorryServer !== null) emit({}, Number(service.sorryServer.active));
    }),
  ),
  counter(
    "lvs_service_connections_total",
    "Connections scheduled; for one-packet services every datagram.",
    ["service"],
    eachService((service, emit) => emit({}, service.counters.connections)),
  ),
  counter(
    "lvs_service_packets_total",
    "Packets from (in) and to (out) the clients; absent where the engine sees no packets.",
    ["service", "direction"],
    eachService((service, emit) => {
      if (service.packetsCounted) emitPackets(service.counters, emit);
    }),
  ),
  counter(
    "lvs_service_bytes_total",
    "Bytes from (in) and to (out) the clients.",
    ["service", "direction"],
    eachService((service, emit) => emitBytes(service.counters, emit)),
  ),
  counter(
    "lvs_service_drops_total",
    "Dropped or refused, by reason.",
    ["service", "reason"],
    eachService((service, emit) => {
      for (const [reason, count] of Object.entries(service.drops)) emit({ reason }, count);
    }),
  ),
  counter(
    "lvs_service_connections_ended_total",
    "Ended connections and UDP sessions, by reason.",
    ["service", "reason"],
    eachService((service, emit) => {
      for (const [reason, count] of Object.entries(service.ends)) emit({ reason }, count);
    }),
  ),
];
