/**
 * The interface behind which all check types stand.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";

/** Why a check failed; a closed list, used in status, log and metrics. */
export type CheckFailure =
  | "refused"
  | "unreachable"
  | "timeout"
  | "closed"
  /** The way to the server is broken (a tunnel's peer, its key): the service itself was not reached. */
  | "path"
  | "reset"
  | "tls"
  | "status"
  | "body"
  | "answer"
  | "protocol"
  | "exit-code"
  | "command"
  | "permission"
  /** lvsd itself was out of descriptors, ports or memory: tells nothing about the server and changes no state. */
  | "resources"
  /** The check broke: a fault of lvsd. */
  | "defect";

/** What one run of a check found. `detail` is for people: the status seen, the first bytes of a wrong answer. */
export type CheckResult =
  | { readonly up: true; readonly detail: string }
  | { readonly up: false; readonly reason: CheckFailure; readonly detail: string };

/** A byte stream to the server under test. */
export interface CheckStream extends Disposable {
  /** Bytes read into `into`, or `null` at the end. Rejects with a `CheckError` when the connection breaks. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Datagrams to and from the server under test, and nobody else. */
export interface CheckDatagrams extends Disposable {
  /** Whether a closed port would be noticed here; silence says less where it is not. */
  readonly reportsClosedPorts: boolean;
  send(bytes: Uint8Array): Promise<void>;
  /** The next datagram. Rejects with a `CheckError` (`refused`) when the server's host says the port is closed. */
  receive(): Promise<Uint8Array>;
}

/** How an exec check ended. */
export interface CommandOutcome {
  readonly code: number;
  readonly output: string;
}

/** How a check reaches the outside; passed in, so that tests and other paths (a tunnel) can stand in. */
export interface Dialer {
  connectTcp(target: Endpoint, signal: AbortSignal): Promise<CheckStream>;
  connectTls(
    target: Endpoint,
    options: { readonly serverName?: string; readonly verify: boolean; readonly alpn?: readonly string[] },
    signal: AbortSignal,
  ): Promise<CheckStream>;
  connectUdp(target: Endpoint, signal: AbortSignal): Promise<CheckDatagrams>;
  /** Runs a program without a shell and kills it when `signal` aborts. */
  run(
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<CommandOutcome>;
}

/** Raised by a dialer and by a check's own parsing; the monitor turns it into a failed result. */
export class CheckError extends Error {
  readonly reason: CheckFailure;

  constructor(reason: CheckFailure, detail: string, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause });
    this.name = "CheckError";
    this.reason = reason;
  }
}

/**
 * One kind of check, made from its configuration. A run ends by itself when `signal` aborts (the time-out): it
 * leaves no socket, no process and no timer behind.
 */
export interface Check {
  /** `tcp`, `http`, `https`, `udp`, `exec`. */
  readonly type: string;
  run(target: Endpoint, dialer: Dialer, signal: AbortSignal): Promise<CheckResult>;
}
