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

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

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
    const family = peer.address.family === 4 ? AF_INET : AF_INET6;
    const descriptor = this.#libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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

/** `sockaddr_in` (16 bytes) or `sockaddr_in6` (28): the family in the host's order, which is little on both processors. */
function socketAddress({ address, port }: Endpoint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(address.family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, address.family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  const words = address.family === 4 ? address.words.subarray(0, 1) : address.words;
  words.forEach((word, i) => view.setUint32((address.family === 4 ? 4 : 8) + i * 4, word));
  return bytes;
}
