/**
 * What is told of an ended TCP connection.
 *
 * @module
 */
import type { EndedConnection, EndReason } from "../engine.ts";
import type { TcpConnection } from "./tcp_connection.ts";

/** Of one service, used again and again. Texts are made for who reads them: most ends are only counted. */
export class EndReport implements EndedConnection {
  readonly service: number;
  reason: EndReason = "done";
  durationMs = 0;
  #connection: TcpConnection | undefined;

  constructor(service: number) {
    this.service = service;
  }

  /** The same report, about this connection. */
  of(connection: TcpConnection, reason: EndReason, nowMs: number): EndedConnection {
    this.#connection = connection;
    this.reason = reason;
    this.durationMs = nowMs - connection.startMs;
    return this;
  }

  get client(): string {
    return this.#connection?.clientText ?? "";
  }

  get destination(): string {
    return this.#connection?.destinationText ?? "";
  }

  get bytesIn(): number {
    return this.#connection?.bytesIn ?? 0;
  }

  get bytesOut(): number {
    return this.#connection?.bytesOut ?? 0;
  }
}
