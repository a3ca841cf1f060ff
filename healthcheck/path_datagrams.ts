/**
 * Datagrams without a socket, that go the way of clients' packets.
 *
 * @module
 */
import { put16 } from "../packet/bytes.ts";
import { UDP, UDP_BYTES } from "../packet/transport.ts";
import { type CheckDatagrams, CheckError } from "./check.ts";
import type { PathConversation, ServerPath } from "./server_path.ts";

/** `CheckDatagrams` over a server's path. A closed port is told by the server's host (ICMP). */
export class PathDatagrams implements CheckDatagrams {
  readonly reportsClosedPorts = true;
  readonly #virtualPort: number;
  readonly #conversation: PathConversation;
  readonly #inbox: Uint8Array[] = [];
  #failure: CheckError | undefined;
  #changed: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(path: ServerPath, virtualPort: number) {
    this.#virtualPort = virtualPort;
    this.#conversation = path.open("udp", (datagram) => {
      if (datagram.length === 0) {
        this.failWith(new CheckError("refused", "the path is in order, and the port is closed"));
      } else {
        this.#inbox.push(datagram.subarray(UDP_BYTES));
        this.#wake();
      }
    });
  }

  send(bytes: Uint8Array): Promise<void> {
    const datagram = new Uint8Array(UDP_BYTES + bytes.length);
    put16(datagram, UDP.sourcePort, this.#conversation.port);
    put16(datagram, UDP.destinationPort, this.#virtualPort);
    put16(datagram, UDP.length, datagram.length);
    datagram.set(bytes, UDP_BYTES);
    this.#conversation.send(datagram);
    return Promise.resolve();
  }

  async receive(): Promise<Uint8Array> {
    for (;;) {
      const datagram = this.#inbox.shift();
      if (datagram !== undefined) return datagram;
      if (this.#failure !== undefined) throw this.#failure;
      await this.#changed.promise;
    }
  }

  /** Whoever waits gets this error. */
  failWith(error: CheckError): void {
    this.#failure ??= error;
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.#conversation[Symbol.dispose]();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
