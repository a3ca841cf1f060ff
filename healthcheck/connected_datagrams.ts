/**
 * Datagrams over a connected socket (Linux, FFI): the only way to hear that a port is closed.
 *
 * @module
 */
import type { Clock, Timer } from "../clock.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { ConnectedUdp } from "../sys/connected_udp.ts";
import { ERRNO, errnoName } from "../sys/errno.ts";
import type { Libc } from "../sys/libc.ts";
import { type CheckDatagrams, CheckError } from "./check.ts";
import { checkErrorOfCode } from "./failure_reason.ts";

/** Pauses between two looks, milliseconds: from the first, doubled, to the last. A look costs 0.2 microseconds. */
const LOOK = { firstMs: 1, lastMs: 32 } as const;

/** Looks for an answer with growing pauses: waiting in the kernel would hold up the whole thread. */
export class ConnectedDatagrams implements CheckDatagrams {
  readonly reportsClosedPorts = true;
  readonly #socket: ConnectedUdp;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#giveUp();
  #timer: Timer | undefined;
  #waiter: PromiseWithResolvers<Uint8Array> | undefined;

  /** @throws {CheckError} when the socket cannot be had, or no route leads to the target */
  constructor(libc: Libc, target: Endpoint, clock: Clock, signal: AbortSignal) {
    this.#socket = new ConnectedUdp(libc);
    this.#clock = clock;
    this.#signal = signal;
    const result = this.#socket.connect(target);
    if (result < 0) {
      this.#socket[Symbol.dispose]();
      throw failed("connect", result);
    }
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  send(bytes: Uint8Array): Promise<void> {
    if (this.#signal.aborted) return Promise.reject(tooLate());
    const result = this.#socket.send(bytes);
    return result < 0 ? Promise.reject(failed("send", result)) : Promise.resolve();
  }

  receive(): Promise<Uint8Array> {
    if (this.#signal.aborted) return Promise.reject(tooLate());
    const waiter = Promise.withResolvers<Uint8Array>();
    this.#waiter = waiter;
    this.#look(waiter, LOOK.firstMs);
    return waiter.promise;
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#timer?.cancel();
    this.#socket[Symbol.dispose]();
  }

  #look(waiter: PromiseWithResolvers<Uint8Array>, pauseMs: number): void {
    const result = this.#socket.receive();
    if (result >= 0) waiter.resolve(this.#socket.received(result));
    else if (result !== -ERRNO.EAGAIN && result !== -ERRNO.EINTR) waiter.reject(failed("receive", result));
    else {
      const nextMs = Math.min(LOOK.lastMs, pauseMs * 2);
      this.#timer = this.#clock.after(pauseMs, () => this.#look(waiter, nextMs));
    }
  }

  #giveUp(): void {
    this.#waiter?.reject(tooLate());
    this[Symbol.dispose]();
  }
}

function failed(call: string, result: number): CheckError {
  const name = errnoName(-result);
  return checkErrorOfCode(name, `${call}: ${name}`, "unreachable");
}

function tooLate(): CheckError {
  return new CheckError("timeout", "no answer in time");
}
