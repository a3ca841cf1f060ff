/**
 * Datagrams over node:dgram.
 *
 * @module
 */
import dgram from "node:dgram";
import { netRefusal } from "../errors.ts";
import { IpAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { type CheckDatagrams, CheckError } from "./check.ts";
import { checkErrorOf } from "./failure_reason.ts";

/** Datagrams kept while nobody reads; a check reads one. */
const QUEUED_DATAGRAMS = 16;

/** Datagrams to and from `target` on any system; a closed port is never reported. */
export async function openDatagrams(target: Endpoint, signal: AbortSignal): Promise<CheckDatagrams> {
  const datagrams = new NodeDatagrams(target, signal);
  try {
    await datagrams.bound();
    return datagrams;
  } catch (error) {
    datagrams[Symbol.dispose]();
    throw checkErrorOf(error, "unreachable");
  }
}

class NodeDatagrams implements CheckDatagrams {
  readonly reportsClosedPorts = false;
  readonly #socket: dgram.Socket;
  readonly #target: Endpoint;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#fail(new CheckError("timeout", "no answer in time"));
  readonly #queue: Uint8Array[] = [];
  #waiter: PromiseWithResolvers<Uint8Array> | undefined;
  #error: CheckError | undefined;
  #closed = false;

  constructor(target: Endpoint, signal: AbortSignal) {
    this.#target = target;
    this.#signal = signal;
    this.#socket = dgram.createSocket(target.address.family === 4 ? "udp4" : "udp6");
    this.#socket.on("error", (error) => this.#fail(checkErrorOf(error, "unreachable")));
    this.#socket.on("message", (bytes, from) => this.#received(bytes, from));
    signal.addEventListener("abort", this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  /** Resolves when the socket has a port of its own. */
  bound(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const refused = netRefusal(this.#target.address.family === 4 ? "0.0.0.0:0" : "[::]:0");
    if (refused !== undefined) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      this.#socket.once("error", reject);
      this.#socket.once("close", () => reject(this.#error));
      this.#socket.bind(0, () => resolve());
    });
  }

  send(bytes: Uint8Array): Promise<void> {
    const { address, port } = this.#target;
    return new Promise((resolve, reject) => {
      this.#socket.send(bytes, port, `${address}`, (error) => {
        if (error) reject(checkErrorOf(error, "unreachable"));
        else resolve();
      });
    });
  }

  receive(): Promise<Uint8Array> {
    const bytes = this.#queue.shift();
    if (bytes !== undefined) return Promise.resolve(bytes);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#waiter = Promise.withResolvers();
    return this.#waiter.promise;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#socket.close();
  }

  #received(bytes: Uint8Array, from: dgram.RemoteInfo): void {
    const { address, port } = this.#target;
    // Anybody may send to this port: only the server under test is heard.
    if (from.port !== port || !IpAddress.tryParse(from.address)?.equals(address)) return;
    if (this.#waiter !== undefined) this.#waiter.resolve(bytes);
    else if (this.#queue.length < QUEUED_DATAGRAMS) this.#queue.push(bytes);
    this.#waiter = undefined;
  }

  #fail(error: CheckError): void {
    this.#error ??= error;
    this.#waiter?.reject(this.#error);
    this.#waiter = undefined;
    this[Symbol.dispose]();
  }
}
