/**
 * The PROXY header that a client has to send first.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import type { Flow } from "../../net/flow.ts";
import { ProxyDecoder } from "../../net/proxy_decoder.ts";
import { ERRNO } from "../../sys/errno.ts";
import { applyProxyHeader } from "../portable/proxied_addresses.ts";
import type { TcpSide } from "./tcp_side.ts";
import type { WorkerParts } from "./worker_parts.ts";

/** What reading has come to. */
export const HEADER = { awaited: 0, read: 1, broken: 2, clientBroke: 3 } as const;

/** Used again for the next connection. */
export class HeaderReader {
  /** Payload that came with the header. */
  early: Uint8Array | undefined;
  /** Of the client that broke off. */
  errno = 0;
  readonly #parts: WorkerParts;
  #decoder: ProxyDecoder | undefined;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  begin(): void {
    this.#decoder = new ProxyDecoder();
  }

  end(): void {
    this.#decoder = undefined;
    this.early = undefined;
  }

  /** Reads what has come; the addresses of a whole header are in the flow then. */
  read(client: TcpSide, flow: Flow): typeof HEADER[keyof typeof HEADER] {
    const { sockets, buffers } = this.#parts;
    const { bytes, address } = buffers.received;
    while (this.#decoder !== undefined && client.isReadable) {
      const length = sockets.libc.receive(client.descriptor, address, LIMITS.proxyHeaderBytes, 0);
      if (length === 0) return HEADER.broken;
      if (length === -ERRNO.EAGAIN) {
        client.isReadable = false;
        return HEADER.awaited;
      }
      if (length < 0) {
        this.errno = -length;
        return HEADER.clientBroke;
      }
      const progress = this.#decoder.push(bytes.subarray(0, length));
      if (progress.state === "broken") return HEADER.broken;
      if (progress.state !== "header") continue;
      this.#decoder = undefined;
      if (progress.rest.length > 0) this.early = progress.rest.slice();
      applyProxyHeader(flow, progress.header);
      return HEADER.read;
    }
    return HEADER.awaited;
  }
}
