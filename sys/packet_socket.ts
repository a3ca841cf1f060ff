/**
 * A packet socket of one interface: received frames in a ring of shared memory (TPACKET_V2), offloads in front of each
 * (PACKET_VNET_HDR), and frames to be sent.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import { checked, ERRNO } from "./errno.ts";
import type { Mapping, PacketLibrary } from "./packet_library.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const ETH_P_ALL = 3;
const SOL_PACKET = 263;
const OPTION = {
  addMembership: 1,
  rxRing: 5,
  version: 10,
  reserve: 12,
  vnetHeader: 15,
  ignoreOutgoing: 23,
} as const;
const TPACKET_V2 = 1;
const MEMBER_PROMISCUOUS = 1;
const MSG_DONTWAIT = 0x40;
/** `struct ifreq`. */
const INTERFACE_REQUEST_BYTES = 40;
const INTERFACE_NAME_BYTES = 16;
const REQUEST = { index: 0x8933, mtu: 0x8921, mac: 0x8927 } as const;

/** `struct tpacket2_hdr`, in words of 32 bits and of 16. */
const FRAME = { status: 0, snapLength: 2, mac16: 6, vlanTag16: 12 } as const;
const STATUS = { kernel: 0, user: 1, vlanValid: 0x10 } as const;
/** A frame of the ring: a GSO super-packet of 64 KiB and all headers fit. */
const FRAME_BYTES = 131_072;
const BLOCK_BYTES = 1_048_576;
/** Room in front of each frame for outer headers. */
const RESERVED_BYTES = 128;
/** `struct virtio_net_hdr`. */
export const OFFLOAD_BYTES = 10;
const VLAN_TAG_BYTES = 4;
const MAC_PAIR_BYTES = 12;

/** What stands in front of a frame (`struct virtio_net_hdr`). */
export const OFFLOAD = { flags: 0, type: 1, headerBytes: 2, segmentBytes: 4, start: 6, offset: 8 } as const;
export const OFFLOAD_FLAG = { needsChecksum: 1 } as const;
export const OFFLOAD_TYPE = { none: 0, tcp4: 1, udp: 3, tcp6: 4, udpSegments: 5, congestion: 0x80 } as const;

/** Whoever takes received frames: the whole ring's bytes, and where the frame lies in it. */
export type OnFrame = (bytes: Uint8Array, from: number, to: number, offloadAt: number) => void;

/** One interface as packets see it. */
export class PacketSocket implements Disposable {
  readonly descriptor: number;
  readonly index: number;
  readonly mtu: number;
  /** The interface's own Ethernet address. */
  readonly mac: Uint8Array;
  /** Frames that could not be sent. */
  sendFailures = 0;
  readonly #library: PacketLibrary;
  readonly #mapping: Mapping;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  readonly #frames: number;
  #next = 0;

  private constructor(
    library: PacketLibrary,
    descriptor: number,
    link: { index: number; mtu: number; mac: Uint8Array },
    mapping: Mapping,
  ) {
    this.#library = library;
    this.descriptor = descriptor;
    this.index = link.index;
    this.mtu = link.mtu;
    this.mac = link.mac;
    this.#mapping = mapping;
    this.#bytes = new Uint8Array(mapping.buffer);
    this.#words = new Int32Array(mapping.buffer);
    this.#halves = new Uint16Array(mapping.buffer);
    this.#frames = mapping.buffer.byteLength / FRAME_BYTES;
  }

  /**
   * Opens a socket on an interface that hears every frame there.
   *
   * @param ringBytes memory for received frames, a multiple of 1 MiB
   * @throws {SystemError} `PERMISSION_DENIED`, `INTERFACE_UNKNOWN`, `SYSTEM_CALL_FAILED`
   */
  static open(library: PacketLibrary, name: string, ringBytes: number): PacketSocket {
    const descriptor = library.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (descriptor === -ERRNO.EPERM || descriptor === -ERRNO.EACCES) {
      throw new SystemError(
        "PERMISSION_DENIED",
        `cannot open a packet socket on ${name}: it needs CAP_NET_RAW; run as root, or give the capability to deno`,
        { interface: name },
      );
    }
    checked("socket of packets", descriptor);
    try {
      const link = readInterface(library, descriptor, name);
      const option = (number: number, ...words: number[]) =>
        checked(
          `packet socket option ${number}`,
          library.setOption(descriptor, SOL_PACKET, number, wordBytes(words)),
        );
      option(OPTION.version, TPACKET_V2);
      option(OPTION.reserve, RESERVED_BYTES);
      option(OPTION.vnetHeader, 1);
      option(OPTION.ignoreOutgoing, 1);
      option(OPTION.rxRing, BLOCK_BYTES, ringBytes / BLOCK_BYTES, FRAME_BYTES, ringBytes / FRAME_BYTES);
      const mapping = library.map(descriptor, ringBytes);
      checked("bind of a packet socket", library.bind(descriptor, linkAddress(link.index)));
      option(OPTION.addMembership, link.index, MEMBER_PROMISCUOUS, 0, 0);
      return new PacketSocket(library, descriptor, link, mapping);
    } catch (error) {
      library.close(descriptor);
      throw error;
    }
  }

  /** Hands over frames that have come, at most `most`; how many there were. */
  drain(onFrame: OnFrame, most: number): number {
    const words = this.#words;
    for (let count = 0; count < most; count++) {
      const at = this.#next * FRAME_BYTES;
      const status = Atomics.load(words, at / 4 + FRAME.status);
      if ((status & STATUS.user) === 0) return count;
      const length = words[at / 4 + FRAME.snapLength] ?? 0;
      const half = at / 2;
      let from = at + (this.#halves[half + FRAME.mac16] ?? 0);
      const offloadAt = from - OFFLOAD_BYTES;
      const to = from + length;
      if ((status & STATUS.vlanValid) !== 0) {
        // The kernel took the tag out; the offload fields count from the frame without it.
        from = this.#putVlanTag(from, this.#halves[half + FRAME.vlanTag16] ?? 0);
      }
      onFrame(this.#bytes, from, to, offloadAt);
      Atomics.store(words, at / 4 + FRAME.status, STATUS.kernel);
      this.#next = (this.#next + 1) % this.#frames;
    }
    return most;
  }

  /** Sends a frame with its {@linkcode OFFLOAD} header in front: `bytes` from `from` up to `to`. */
  send(bytes: Uint8Array, from: number, to: number): void {
    const result = bytes === this.#bytes
      ? this.#library.send(this.descriptor, this.#mapping.address + from, to - from, MSG_DONTWAIT)
      : this.#library.sendBuffer(this.descriptor, bytes.subarray(from, to), MSG_DONTWAIT);
    if (result < 0) this.sendFailures++;
  }

  /** Sends a frame that lies in another socket's ring. */
  sendFrom(other: PacketSocket, from: number, to: number): void {
    const result = this.#library.send(
      this.descriptor,
      other.#mapping.address + from,
      to - from,
      MSG_DONTWAIT,
    );
    if (result < 0) this.sendFailures++;
  }

  /** Whether bytes lie in this socket's ring. */
  owns(bytes: Uint8Array): boolean {
    return bytes === this.#bytes;
  }

  [Symbol.dispose](): void {
    this.#library.unmap(this.#mapping);
    this.#library.close(this.descriptor);
  }

  #putVlanTag(from: number, tag: number): number {
    const bytes = this.#bytes;
    const at = from - VLAN_TAG_BYTES;
    bytes.copyWithin(at, from, from + MAC_PAIR_BYTES);
    bytes[at + MAC_PAIR_BYTES] = 0x81;
    bytes[at + MAC_PAIR_BYTES + 1] = 0;
    bytes[at + MAC_PAIR_BYTES + 2] = tag >>> 8;
    bytes[at + MAC_PAIR_BYTES + 3] = tag;
    return at;
  }
}

function readInterface(
  library: PacketLibrary,
  descriptor: number,
  name: string,
): { index: number; mtu: number; mac: Uint8Array } {
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

function wordBytes(words: readonly number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(words).buffer);
}

/** `struct sockaddr_ll`; the protocol is in network order. */
function linkAddress(index: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL, false);
  view.setInt32(4, index, true);
  return address;
}
