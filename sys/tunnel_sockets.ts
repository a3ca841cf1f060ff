/**
 * Sockets on which tunnel packets arrive: raw ones for protocols that the system does not know, UDP for GUE.
 *
 * @module
 */
import { checked } from "./errno.ts";
import { MessageTable } from "./message_table.ts";
import type { Address, PacketLibrary } from "./packet_library.ts";

const FAMILY = { 4: 2, 6: 10 } as const;
const SOCK = { datagram: 2, raw: 3, flags: 0o2004000 } as const;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_UDP = 17;
/** `UDP_NO_CHECK6_RX`. */
const WITHOUT_CHECKSUM = 102;
/** A burst of one client's window, 6 MiB (`tcp_rmem`), of which each packet takes half as much again. */
const RECEIVE_BUFFER_BYTES = 32 * 1_024 * 1_024;
const POLL_IN = 1;
const POLL_RECORD_BYTES = 8;
const POLL_HAPPENED = 6;
/** Packets that one system call takes: a super-packet in segments of 1,400 bytes. */
const BATCH_PACKETS = 64;
/**
 * Room of one packet: the largest one, and in front of it what a reader may overwrite. Not a power of two, so that the
 * beginnings of packets do not compete for the same lines of the processor's cache.
 */
const FRONT_BYTES = 64;
const ROOM_BYTES = FRONT_BYTES + 65_536 + 192;

/** One kind of arriving packets. */
export interface TunnelInlet {
  readonly family: 4 | 6;
  /** IP protocol of a raw socket, 17 for UDP. */
  readonly protocol: number;
  /** UDP port, 0 for raw sockets. */
  readonly port: number;
}

/** Takes what arrived: `bytes` from `from` up to `to`; they stay as they are until the batch has ended. */
export type OnArrival = (inlet: TunnelInlet, bytes: Uint8Array, from: number, to: number) => void;

/** All inlets of a real server. */
export class TunnelSockets implements Disposable {
  /** Where packets arrive; each begins at a word. */
  readonly arena: Uint8Array<ArrayBuffer> = new Uint8Array(BATCH_PACKETS * ROOM_BYTES);
  readonly #library: PacketLibrary;
  readonly #sockets: { readonly descriptor: number; readonly inlet: TunnelInlet }[] = [];
  readonly #table: MessageTable;
  readonly #poll: DataView<ArrayBuffer>;
  readonly #pollAddress: Address;

  /** @throws {SystemError} `SYSTEM_CALL_FAILED`: raw sockets need CAP_NET_RAW */
  constructor(library: PacketLibrary, inlets: readonly TunnelInlet[]) {
    this.#library = library;
    this.#table = new MessageTable(library, BATCH_PACKETS, 1);
    const base = library.addressOf(this.arena);
    for (let i = 0; i < BATCH_PACKETS; i++) {
      this.#table.setVector(i, base + i * ROOM_BYTES + FRONT_BYTES, ROOM_BYTES - FRONT_BYTES);
    }
    for (const inlet of inlets) this.#open(inlet);
    const records = new Uint8Array(this.#sockets.length * POLL_RECORD_BYTES);
    this.#poll = new DataView(records.buffer);
    this.#pollAddress = library.pointerOf(records);
    this.#sockets.forEach(({ descriptor }, i) => {
      this.#poll.setInt32(i * POLL_RECORD_BYTES, descriptor, true);
      this.#poll.setInt16(i * POLL_RECORD_BYTES + 4, POLL_IN, true);
    });
  }

  /** Waits for packets, at most this long, and hands over all there are, in batches. */
  serve(waitMs: number, onArrival: OnArrival, onBatchEnd: () => void): void {
    if (this.#library.poll(this.#pollAddress, this.#sockets.length, waitMs) <= 0) return;
    for (let i = 0; i < this.#sockets.length; i++) {
      const socket = this.#sockets[i];
      if (socket === undefined || this.#poll.getInt16(i * POLL_RECORD_BYTES + POLL_HAPPENED, true) === 0) {
        continue;
      }
      while (this.#take(socket.descriptor, socket.inlet, onArrival, onBatchEnd) === BATCH_PACKETS);
    }
  }

  [Symbol.dispose](): void {
    for (const { descriptor } of this.#sockets) this.#library.close(descriptor);
  }

  #take(descriptor: number, inlet: TunnelInlet, onArrival: OnArrival, onBatchEnd: () => void): number {
    const table = this.#table;
    const count = this.#library.receiveMessages(descriptor, table.messages, BATCH_PACKETS, MSG_DONTWAIT);
    for (let i = 0; i < count; i++) {
      const from = i * ROOM_BYTES + FRONT_BYTES;
      onArrival(inlet, this.arena, from, from + table.lengthOf(i));
    }
    if (count > 0) onBatchEnd();
    return count;
  }

  #open(inlet: TunnelInlet): void {
    const { family, protocol, port } = inlet;
    const type = (port === 0 ? SOCK.raw : SOCK.datagram) | SOCK.flags;
    const descriptor = checked(
      `socket for IP protocol ${protocol}`,
      this.#library.socket(FAMILY[family], type, protocol),
    );
    this.#sockets.push({ descriptor, inlet });
    // Without the capability the system's own size stays.
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
