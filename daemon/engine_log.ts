/**
 * Where an engine's events end up: in counters, in the log, and as evidence for passive health.
 *
 * @module
 */
import type { Logger } from "@logtape/logtape";
import type { EndedConnection, EndReason, EngineEvents } from "../engines/engine.ts";

/** Counts of one virtual service, kept over reloads. */
export interface EventCounts {
  readonly ends: Map<EndReason, number>;
  readonly drops: Map<EndReason, number>;
}

/** What passive health wants to know. */
export interface ConnectWitness {
  connectFailed(destination: number, reason: EndReason): void;
  connectSucceeded(destination: number): void;
}

/** Ends that are somebody's mistake or trouble, shown even when connection lines are off. */
const TROUBLE: ReadonlySet<EndReason> = new Set<EndReason>(["error", "loop", "table-full"]);

/** Counts and logs; returns at once, since the data path is waiting. */
export class EngineLog implements EngineEvents {
  readonly #logger: Logger;
  readonly #witness: ConnectWitness;
  readonly #serviceName: (service: number) => string;
  readonly #counts = new Map<number, EventCounts>();
  /** One line per ended connection. */
  logConnections: boolean;

  constructor(options: {
    logger: Logger;
    witness: ConnectWitness;
    serviceName: (service: number) => string;
    logConnections: boolean;
  }) {
    this.#logger = options.logger;
    this.#witness = options.witness;
    this.#serviceName = options.serviceName;
    this.logConnections = options.logConnections;
  }

  counts(service: number): EventCounts {
    let counts = this.#counts.get(service);
    if (counts === undefined) this.#counts.set(service, counts = { ends: new Map(), drops: new Map() });
    return counts;
  }

  /** The service left for good; its handle may be given to another. */
  forget(service: number): void {
    this.#counts.delete(service);
  }

  ended(connection: EndedConnection): void {
    add(this.counts(connection.service).ends, connection.reason);
    const isTrouble = TROUBLE.has(connection.reason);
    if (!isTrouble && !this.logConnections) return;
    const { client, destination, reason, bytesIn, bytesOut } = connection;
    this.#logger[isTrouble ? "warn" : "info"](
      "connection {service} {client} -> {destination} ended: {reason} after {durationMs} ms, {bytesIn} B in, {bytesOut} B out",
      {
        service: this.#serviceName(connection.service),
        client,
        destination: destination === "" ? "(none)" : destination,
        reason,
        durationMs: Math.round(connection.durationMs),
        bytesIn,
        bytesOut,
      },
    );
  }

  connectFailed(destination: number, reason: EndReason): void {
    this.#witness.connectFailed(destination, reason);
  }

  connectSucceeded(destination: number): void {
    this.#witness.connectSucceeded(destination);
  }

  dropped(service: number, reason: EndReason): void {
    add(this.counts(service).drops, reason);
  }

  trouble(service: number, message: string): void {
    this.#logger.warn("service {service}: {message}", { service: this.#serviceName(service), message });
  }
}

function add(counts: Map<EndReason, number>, reason: EndReason): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}
