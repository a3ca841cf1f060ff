/**
 * An interface as packet sockets name it.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import type { PacketLibrary } from "./packet_library.ts";

export const AF_PACKET = 17;
/** `struct ifreq`. */
const INTERFACE_REQUEST_BYTES = 40;
const INTERFACE_NAME_BYTES = 16;
const REQUEST = { index: 0x8933, mtu: 0x8921, mac: 0x8927 } as const;

/** What the system says of an interface. */
export interface SystemLink {
  readonly index: number;
  readonly mtu: number;
  readonly mac: Uint8Array;
}

/** Asks for it. @throws {SystemError} `INTERFACE_UNKNOWN` */
export function readInterface(
  library: PacketLibrary,
  descriptor: number,
  name: string,
): SystemLink {
  const request = new Uint8Array(INTERFACE_REQUEST_BYTES);
  const view = new DataView(request.buffer);
  const ask = (number: number) => {
    request.fill(0);
    request.set(new TextEncoder().encode(name).subarray(0, INTERFACE_NAME_BYTES - 1));
    if (library.ioctl(descriptor, number, request) < 0) {
      throw new SystemError(
        "INTERFACE_UNKNOWN",
        `there is no network interface ${name}; "ip link" lists them`,
        { interface: name },
      );
    }
  };
  ask(REQUEST.index);
  const index = view.getInt32(INTERFACE_NAME_BYTES, true);
  ask(REQUEST.mtu);
  const mtu = view.getInt32(INTERFACE_NAME_BYTES, true);
  ask(REQUEST.mac);
  return { index, mtu, mac: request.slice(INTERFACE_NAME_BYTES + 2, INTERFACE_NAME_BYTES + 8) };
}

/** Words as socket options have them. */
export function wordBytes(words: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(words).buffer);
}

/** `struct sockaddr_ll`; the protocol is in network order. */
export function linkAddress(index: number, protocol: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol, false);
  view.setInt32(4, index, true);
  return address;
}
