/**
 * A TUN device: what is written into it comes into the system as received packets.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import { checked, ERRNO } from "./errno.ts";
import type { PacketLibrary } from "./packet_library.ts";

const PATH = "/dev/net/tun";
const O_RDWR_CLOEXEC = 0o2000002;
const TUNSETIFF = 0x400454ca;
const IFF_TUN_NO_PI = 0x1001;
const INTERFACE_REQUEST_BYTES = 40;
const INTERFACE_NAME_BYTES = 16;

/** Gone with the descriptor. */
export class TunDevice implements Disposable {
  readonly #library: PacketLibrary;
  readonly #descriptor: number;

  private constructor(library: PacketLibrary, descriptor: number) {
    this.#library = library;
    this.#descriptor = descriptor;
  }

  /** @throws {SystemError} `PERMISSION_DENIED`, `SYSTEM_CALL_FAILED` */
  static open(library: PacketLibrary, name: string): TunDevice {
    const descriptor = checked(`open ${PATH}`, library.open(PATH, O_RDWR_CLOEXEC));
    const request = new Uint8Array(INTERFACE_REQUEST_BYTES);
    request.set(new TextEncoder().encode(name).subarray(0, INTERFACE_NAME_BYTES - 1));
    new DataView(request.buffer).setUint16(INTERFACE_NAME_BYTES, IFF_TUN_NO_PI, true);
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
    return new TunDevice(library, descriptor);
  }

  /** Lets an IP packet come in by the device; false when the system did not take it. */
  inject(packet: Uint8Array): boolean {
    return this.#library.write(this.#descriptor, packet) >= 0;
  }

  [Symbol.dispose](): void {
    this.#library.close(this.#descriptor);
  }
}
