/**
 * A UDP socket that the kernel has connected: it hears its peer alone, and hears when the peer's port is closed (ICMP), which
 * Deno's own UDP sockets never report.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { ERRNO } from "./errno.ts";
import { addressOf, type Libc } from "./libc.ts";
import { socketAddress } from "./socket_address.ts";
import { FAMILY, SOCKET } from "./socket_numbers.ts";

/** Never blocks. Each call answers like the kernel: 0 or more, or a negative errno. */
export class ConnectedUdp implements Disposable {
  readonly #libc: Libc;
  readonly #buffer = new Uint8Array(LIMITS.udpPayloadBytes);
  readonly #bufferAddress = addressOf(this.#buffer);
  #descriptor = -1;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Opens the socket and connects it, which sends nothing. Once per object. */
  connect(peer: Endpoint): number {
    const family = peer.address.family === 4 ? FAMILY.inet : FAMILY.inet6;
    const descriptor = this.#libc.socket(
      family,
      SOCKET.datagram | SOCKET.nonBlocking | SOCKET.closeOnExec,
      0,
    );
    if (descriptor < 0) return descriptor;
    this.#descriptor = descriptor;
    const name = socketAddress(peer);
    return this.#libc.connect(descriptor, addressOf(name), name.length);
  }

  send(bytes: Uint8Array): number {
    if (bytes.length > this.#buffer.length) return -ERRNO.EMSGSIZE;
    this.#buffer.set(bytes);
    return this.#libc.write(this.#descriptor, this.#bufferAddress, bytes.length);
  }

  /** Length of the datagram now in {@linkcode received}; `-EAGAIN` when none has come. */
  receive(): number {
    return this.#libc.read(this.#descriptor, this.#bufferAddress, this.#buffer.length);
  }

  /** A copy of the first `length` bytes that the last {@linkcode receive} left. */
  received(length: number): Uint8Array {
    return this.#buffer.slice(0, length);
  }

  [Symbol.dispose](): void {
    if (this.#descriptor >= 0) this.#libc.close(this.#descriptor);
    this.#descriptor = -1;
  }
}
