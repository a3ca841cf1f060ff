/**
 * A packet socket of one interface: received frames in a ring of shared memory (TPACKET_V2), offloads in front of each
 * (PACKET_VNET_HDR), and frames to be sent.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import { checked, ERRNO } from "./errno.ts";
import type { FrameSender } from "./frame_sender.ts";
import { AF_PACKET, linkAddress, readInterface, type SystemLink, wordBytes } from "./packet_interface.ts";
import { OFFLOAD_BYTES } from "./offload.ts";
import type { Address, Mapping, PacketLibrary } from "./packet_library.ts";
import { TRAIN_MARK, type TrainProgram } from "./train_program.ts";

const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const ETH_P_ALL = 3;
const SOL_PACKET = 263;
const OPTION = {
  addMembership: 1,
  rxRing: 5,
  copyThreshold: 7,
  version: 10,
  reserve: 12,
  vnetHeader: 15,
  ignoreOutgoing: 23,
} as const;
const TPACKET_V2 = 1;
const MEMBER_PROMISCUOUS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_PEEK = 2;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_MARK = 36;

/** `struct tpacket2_hdr`, in words of 32 bits and of 16. */
const FRAME = { status: 0, length: 1, snapLength: 2, mac16: 6, vlanTag16: 12 } as const;
const STATUS = { kernel: 0, user: 1, queued: 2, vlanValid: 0x10 } as const;
/**
 * A slot of the ring holds a frame of 1,500 bytes. Larger ones, super-packets above all, wait in the socket's queue, without
 * having been copied, and are read into one buffer, which stays in the processor's cache.
 */
const SLOT_BYTES = 2_048;
/** Where the queue may not grow: a GSO super-packet of 64 KiB and all headers fit. */
const LARGE_SLOT_BYTES = 131_072;
const BLOCK_BYTES = 1_048_576;
/** Room in front of each frame for outer headers. */
const RESERVED_BYTES = 128;
const VLAN_TAG_BYTES = 4;
const MAC_PAIR_BYTES = 12;
const NO_TAG = -1;

/** Whoever takes received frames: the whole ring's bytes, and where the frame lies in it. */
export type OnFrame = (bytes: Uint8Array, from: number, to: number, offloadAt: number) => void;

/** What a socket is opened with. */
export interface PacketSocketOptions {
  /** Memory for received frames, a multiple of 1 MiB. */
  readonly ringBytes: number;
  /** Memory for frames that are larger than a slot of the ring. */
  readonly queueBytes: number;
  /** What lets super-packets in tunnels pass whole. */
  readonly program?: TrainProgram | undefined;
}

/** One interface as packets see it. */
export class PacketSocket implements Disposable {
  readonly descriptor: number;
  /** Frames larger than a slot for which the queue had no room. */
  queueOverflows = 0;
  readonly #library: PacketLibrary;
  readonly #name: string;
  readonly #program: TrainProgram | undefined;
  readonly #mapping: Mapping;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  readonly #slotBytes: number;
  readonly #slots: number;
  /** The frame that was read from the queue. */
  readonly #large: Uint8Array<ArrayBuffer>;
  /** Where it is read to: an offload, then the frame. */
  readonly #largeRoom: Address;
  readonly #sender: FrameSender;
  /** Another socket, whose frames the {@linkcode TrainProgram} looks at; undefined where there is none. */
  #trains: number | undefined;
  #link: SystemLink;
  #next = 0;

  private constructor(
    library: PacketLibrary,
    descriptor: number,
    name: string,
    link: SystemLink,
    mapping: Mapping,
    slotBytes: number,
    sender: FrameSender,
    program: TrainProgram | undefined,
  ) {
    this.#library = library;
    this.#name = name;
    this.descriptor = descriptor;
    this.#link = link;
    this.#mapping = mapping;
    this.#bytes = new Uint8Array(mapping.buffer);
    this.#words = new Int32Array(mapping.buffer);
    this.#halves = new Uint16Array(mapping.buffer);
    this.#slotBytes = slotBytes;
    this.#slots = mapping.buffer.byteLength / slotBytes;
    this.#large = new Uint8Array(LARGE_SLOT_BYTES);
    this.#largeRoom = library.pointerOf(this.#large.subarray(RESERVED_BYTES));
    this.#sender = sender;
    this.#program = program;
    this.#trains = openTrains(library, link.index, program);
    sender.adopt(this.#bytes, mapping.address);
    sender.adopt(this.#large, library.addressOf(this.#large));
  }

  /**
   * Opens a socket on an interface that hears every frame there.
   *
   * @throws {SystemError} `PERMISSION_DENIED`, `INTERFACE_UNKNOWN`, `SYSTEM_CALL_FAILED`
   */
  static open(
    library: PacketLibrary,
    sender: FrameSender,
    name: string,
    { ringBytes, queueBytes, program }: PacketSocketOptions,
  ): PacketSocket {
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
      // It takes CAP_NET_ADMIN; the system's own size holds four super-packets, and then large slots are better.
      const isQueued =
        library.setOption(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, wordBytes([queueBytes])) >= 0;
      const slotBytes = isQueued ? SLOT_BYTES : LARGE_SLOT_BYTES;
      if (isQueued) option(OPTION.copyThreshold, 1);
      option(OPTION.rxRing, BLOCK_BYTES, ringBytes / BLOCK_BYTES, slotBytes, ringBytes / slotBytes);
      const mapping = library.map(descriptor, ringBytes);
      hearAll(library, descriptor, link);
      return new PacketSocket(library, descriptor, name, link, mapping, slotBytes, sender, program);
    } catch (error) {
      library.close(descriptor);
      throw error;
    }
  }

  get index(): number {
    return this.#link.index;
  }

  get mtu(): number {
    return this.#link.mtu;
  }

  /** The interface's own Ethernet address. */
  get mac(): Uint8Array {
    return this.#link.mac;
  }

  /**
   * Looks at the interface anew. One that was made anew under its name is heard from now on, and has another index.
   *
   * @throws {SystemError} `INTERFACE_UNKNOWN`
   */
  refresh(): void {
    const link = readInterface(this.#library, this.descriptor, this.#name);
    if (link.index !== this.index) {
      hearAll(this.#library, this.descriptor, link);
      if (this.#trains !== undefined) this.#library.close(this.#trains);
      this.#trains = openTrains(this.#library, link.index, this.#program);
    }
    this.#link = link;
  }

  /**
   * Hands over frames that have come, at most `most`; how many there were. What `onFrame` sends has gone when it returns, and
   * only then are the frames' places free again.
   */
  drain(onFrame: OnFrame, most: number): number {
    const words = this.#words;
    let count = 0;
    for (; count < most; count++) {
      const at = ((this.#next + count) % this.#slots) * this.#slotBytes;
      const status = Atomics.load(words, at / 4 + FRAME.status);
      if ((status & STATUS.user) === 0) break;
      const tag = (status & STATUS.vlanValid) !== 0 ? this.#halves[at / 2 + FRAME.vlanTag16] ?? 0 : NO_TAG;
      const length = words[at / 4 + FRAME.snapLength] ?? 0;
      const from = at + (this.#halves[at / 2 + FRAME.mac16] ?? 0);
      if ((status & STATUS.queued) !== 0) this.#takeQueued(onFrame, tag);
      else if (length < (words[at / 4 + FRAME.length] ?? 0)) this.queueOverflows++;
      else hand(onFrame, this.#bytes, from, from + length, tag);
    }
    if (count === 0) return 0;
    this.#sender.flush();
    for (let i = 0; i < count; i++) {
      Atomics.store(words, this.#next * this.#slotBytes / 4 + FRAME.status, STATUS.kernel);
      this.#next = (this.#next + 1) % this.#slots;
    }
    return count;
  }

  /** Takes the error that waits on it, if one does: of an interface that went down, or is gone. */
  takeError(): void {
    this.#library.receive(this.descriptor, this.#largeRoom, OFFLOAD_BYTES, MSG_DONTWAIT | MSG_PEEK);
  }

  /** Sends a frame with its offload in front, `bytes` from `from` up to `to`, by the end of the turn. */
  send(bytes: Uint8Array, from: number, to: number): void {
    this.#sender.add(this.descriptor, bytes, from, to);
  }

  /** Whether super-packets in tunnels can be sent whole, with {@linkcode sendTrain}. */
  get carriesTrains(): boolean {
    return this.#trains !== undefined;
  }

  /** The same for a super-packet in a tunnel, whose offload tells of the inner packet. */
  sendTrain(bytes: Uint8Array, from: number, to: number): void {
    this.#sender.add(this.#trains ?? this.descriptor, bytes, from, to);
  }

  [Symbol.dispose](): void {
    if (this.#trains !== undefined) this.#library.close(this.#trains);
    this.#library.unmap(this.#mapping);
    this.#library.close(this.descriptor);
  }

  /** Reads the frame that the ring tells of; both are in the same order. */
  #takeQueued(onFrame: OnFrame, tag: number): void {
    let length = this.#receiveLarge();
    // An error of the interface (down, gone) is told once, in the frame's place.
    if (length < 0) length = this.#receiveLarge();
    if (length <= OFFLOAD_BYTES) return;
    hand(onFrame, this.#large, RESERVED_BYTES + OFFLOAD_BYTES, RESERVED_BYTES + length, tag);
    // The next one is read to the same place.
    this.#sender.flush();
  }

  #receiveLarge(): number {
    const room = LARGE_SLOT_BYTES - RESERVED_BYTES;
    return this.#library.receive(this.descriptor, this.#largeRoom, room, MSG_DONTWAIT);
  }
}

function hand(onFrame: OnFrame, bytes: Uint8Array, from: number, to: number, tag: number): void {
  // The kernel took the tag out; the offload fields count from the frame without it.
  const start = tag === NO_TAG ? from : putVlanTag(bytes, from, tag);
  onFrame(bytes, start, to, from - OFFLOAD_BYTES);
}

/** Every frame of the interface, whomever it is for. */
function hearAll(library: PacketLibrary, descriptor: number, { index }: SystemLink): void {
  checked("bind of a packet socket", library.bind(descriptor, linkAddress(index, ETH_P_ALL)));
  const membership = wordBytes([index, MEMBER_PROMISCUOUS, 0, 0]);
  checked(
    "promiscuous mode",
    library.setOption(descriptor, SOL_PACKET, OPTION.addMembership, membership),
  );
}

/** A socket that only sends, and marks what it sends. */
function openTrains(
  library: PacketLibrary,
  index: number,
  program: TrainProgram | undefined,
): number | undefined {
  if (program?.attach(index) !== true) return undefined;
  const descriptor = checked("socket of packets", library.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  const isReady = library.setOption(descriptor, SOL_PACKET, OPTION.vnetHeader, wordBytes([1])) >= 0 &&
    library.setOption(descriptor, SOL_SOCKET, SO_MARK, wordBytes([TRAIN_MARK])) >= 0 &&
    library.bind(descriptor, linkAddress(index, 0)) >= 0;
  if (isReady) return descriptor;
  library.close(descriptor);
  return undefined;
}

function putVlanTag(bytes: Uint8Array, from: number, tag: number): number {
  const at = from - VLAN_TAG_BYTES;
  bytes.copyWithin(at, from, from + MAC_PAIR_BYTES);
  bytes[at + MAC_PAIR_BYTES] = 0x81;
  bytes[at + MAC_PAIR_BYTES + 1] = 0;
  bytes[at + MAC_PAIR_BYTES + 2] = tag >>> 8;
  bytes[at + MAC_PAIR_BYTES + 3] = tag;
  return at;
}
