/**
 * A TUN device: what is written into it comes into the system as received packets.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import { checked, ERRNO } from "./errno.ts";
import { MessageTable } from "./message_table.ts";
import type { PacketLibrary } from "./packet_library.ts";

const PATH = "/dev/net/tun";
const O_RDWR_CLOEXEC = 0o2000002;
const TUNSETIFF = 0x400454ca;
/** TUN without packet information, with an offload (`struct virtio_net_hdr`) in front of each packet. */
const IFF_TUN_NO_PI_VNET_HDR = 0x5001;
const INTERFACE_REQUEST_BYTES = 40;
const INTERFACE_NAME_BYTES = 16;

/** Gone with the descriptor. */
export class TunDevice implements Disposable {
  readonly #library: PacketLibrary;
  readonly #descriptor: number;
  readonly #memory: number;
  readonly #table: MessageTable;
  readonly #mostPieces: number;
  #pieces = 0;

  private constructor(library: PacketLibrary, descriptor: number, memory: number, mostPieces: number) {
    this.#library = library;
    this.#descriptor = descriptor;
    this.#memory = memory;
    this.#mostPieces = mostPieces;
    this.#table = new MessageTable(library, 1, mostPieces);
  }

  /**
   * @param memory where the pieces of packets will lie; it has to live as long as the device
   * @param mostPieces of one packet
   * @throws {SystemError} `PERMISSION_DENIED`, `SYSTEM_CALL_FAILED`
   */
  static open(
    library: PacketLibrary,
    name: string,
    memory: Uint8Array<ArrayBuffer>,
    mostPieces: number,
  ): TunDevice {
    const descriptor = checked(`open ${PATH}`, library.open(PATH, O_RDWR_CLOEXEC));
    const request = new Uint8Array(INTERFACE_REQUEST_BYTES);
    request.set(new TextEncoder().encode(name).subarray(0, INTERFACE_NAME_BYTES - 1));
    new DataView(request.buffer).setUint16(INTERFACE_NAME_BYTES, IFF_TUN_NO_PI_VNET_HDR, true);
    const result = library.ioctl(descriptor, TUNSETIFF, request);
    if (result < 0) library.close(descriptor);
    if (result === -ERRNO.EPERM) {
      throw new SystemError(
        "PERMISSION_DENIED",
        `cannot make the device ${name}: it needs CAP_NET_ADMIN; run as root`,
        { interface: name },
      );
    }
    checked(`making the device ${name}`, result);
    return new TunDevice(library, descriptor, library.addressOf(memory), mostPieces);
  }

  /** Another piece of the next packet: the memory from `from` up to `to`; the first one begins with the offload. */
  addPiece(from: number, to: number): void {
    if (this.#pieces < this.#mostPieces) {
      this.#table.setVector(this.#pieces++, this.#memory + from, to - from);
    }
  }

  /** Lets the packet of all pieces come in by the device; false when the system did not take it. */
  inject(): boolean {
    const count = this.#pieces;
    this.#pieces = 0;
    return this.#library.writeVectors(this.#descriptor, this.#table.vectors, count) >= 0;
  }

  [Symbol.dispose](): void {
    this.#library.close(this.#descriptor);
  }
}
