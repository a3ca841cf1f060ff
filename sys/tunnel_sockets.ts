/**
 * Sockets on which tunnel packets arrive: raw ones for protocols that the system does not know, UDP for GUE.
 *
 * @module
 */
import { checked, ERRNO } from "./errno.ts";
import type { PacketLibrary } from "./packet_library.ts";

const FAMILY = { 4: 2, 6: 10 } as const;
const SOCK = { datagram: 2, raw: 3, flags: 0o2004000 } as const;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_UDP = 17;
/** `UDP_NO_CHECK6_RX`. */
const WITHOUT_CHECKSUM = 102;
const RECEIVE_BUFFER_BYTES = 8 * 1_024 * 1_024;
const POLL_IN = 1;
const POLL_RECORD_BYTES = 8;

/** One kind of arriving packets. */
export interface TunnelInlet {
  readonly family: 4 | 6;
  /** IP protocol of a raw socket, 17 for UDP. */
  readonly protocol: number;
  /** UDP port, 0 for raw sockets. */
  readonly port: number;
}

/** Takes what arrived; the buffer is used again. */
export type OnArrival = (inlet: TunnelInlet, bytes: Uint8Array) => void;

/** All inlets of a real server. */
export class TunnelSockets implements Disposable {
  readonly #library: PacketLibrary;
  readonly #sockets: { readonly descriptor: number; readonly inlet: TunnelInlet }[] = [];
  readonly #buffer = new Uint8Array(65_536);
  #poll = new Uint8Array(0);

  /** @throws {SystemError} `SYSTEM_CALL_FAILED`: raw sockets need CAP_NET_RAW */
  constructor(library: PacketLibrary, inlets: readonly TunnelInlet[]) {
    this.#library = library;
    for (const inlet of inlets) this.#open(inlet);
    this.#poll = new Uint8Array(this.#sockets.length * POLL_RECORD_BYTES);
    const view = new DataView(this.#poll.buffer);
    this.#sockets.forEach(({ descriptor }, i) => {
      view.setInt32(i * POLL_RECORD_BYTES, descriptor, true);
      view.setInt16(i * POLL_RECORD_BYTES + 4, POLL_IN, true);
    });
  }

  /** Waits for packets, at most this long, and hands over all there are. */
  serve(waitMs: number, onArrival: OnArrival): void {
    if (this.#library.poll(this.#poll, waitMs) <= 0) return;
    for (const { descriptor, inlet } of this.#sockets) {
      for (;;) {
        const length = this.#library.receive(descriptor, this.#buffer, MSG_DONTWAIT);
        if (length === -ERRNO.EAGAIN || length < 0) break;
        onArrival(inlet, this.#buffer.subarray(0, length));
      }
    }
  }

  [Symbol.dispose](): void {
    for (const { descriptor } of this.#sockets) this.#library.close(descriptor);
  }

  #open(inlet: TunnelInlet): void {
    const { family, protocol, port } = inlet;
    const type = (port === 0 ? SOCK.raw : SOCK.datagram) | SOCK.flags;
    const descriptor = checked(
      `socket for IP protocol ${protocol}`,
      this.#library.socket(FAMILY[family], type, protocol),
    );
    this.#sockets.push({ descriptor, inlet });
    // A burst of one client's window has to fit; without the capability the system's own size stays.
    this.#library.setOption(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, wordBytes(RECEIVE_BUFFER_BYTES));
    if (port === 0) return;
    // IPVS sends GUE without a UDP checksum, over IPv6 too, where a receiver has to allow it (RFC 6935); the kernel's does.
    if (family === 6) this.#library.setOption(descriptor, SOL_UDP, WITHOUT_CHECKSUM, wordBytes(1));
    // Dual-stack: one socket hears both families.
    const address = new Uint8Array(28);
    const view = new DataView(address.buffer);
    view.setUint16(0, FAMILY[family], true);
    view.setUint16(2, port, false);
    checked(`bind of UDP port ${port}`, this.#library.bind(descriptor, address));
  }
}

function wordBytes(word: number): Uint8Array {
  return new Uint8Array(Int32Array.of(word).buffer);
}
