/**
 * A program in the kernel (eBPF, TCX egress) that tells it which frames are super-packets in a tunnel. A packet socket cannot:
 * its offload (`struct virtio_net_hdr`) knows no tunnel, and the kernel drops such a frame. The program takes the outer header
 * off and puts it on again as one, so that the frame goes whole as far as it can, and whoever has to cuts it up right.
 *
 * @module
 */
import type { PacketLibrary } from "./packet_library.ts";

/** What frames have to be marked with (`SO_MARK`) that the program is to look at; it takes the mark off. */
export const TRAIN_MARK = 0x6c76_7364;

const COMMAND = { loadProgram: 5, createLink: 28 } as const;
const PROGRAM_TYPE_TC = 3;
const ATTACH_TCX_EGRESS = 47;
const ATTRIBUTE_BYTES = 128;
const ATTRIBUTE = { type: 0, count: 4, instructions: 8, license: 16, attachType: 68 } as const;
const LINK = { program: 0, interface: 4, attachType: 8 } as const;

/** `struct __sk_buff`. */
const CONTEXT = { mark: 8, segmentBytes: 176 } as const;
const HELPER = { storeBytes: 9, loadBytes: 26, adjustRoom: 50 } as const;
const ROOM_MAC = 1;
/** `BPF_F_ADJ_ROOM_*`: segments keep their size; an outer IPv4 or IPv6 header, GRE or UDP behind it. */
const ROOM = { fixedSegments: 1, ipv4: 2, ipv6: 4, gre: 8, udp: 16 } as const;
const VERDICT = { next: -1, drop: 2 } as const;
const ETHERNET_BYTES = 14;
/** Stack: the Ethernet type, the protocol of the outer header, and the outer header. */
const STACK = { ethertype: -8, protocol: -16, outer: -80 } as const;
/** As a little-endian load sees them. */
const ETHERTYPE = { ipv4: 0x0008, ipv6: 0xdd86 } as const;
const PROTOCOL = { ipip: 4, udp: 17, ipv6: 41, gre: 47 } as const;

type Label = "next" | "drop" | "ipv4" | "protocol" | "gre" | "wrap";
interface Instruction {
  readonly code: number;
  readonly registers: number;
  readonly offset: number | Label;
  readonly value: number;
}

/** The program in the kernel and its places on interfaces; all gone with the descriptors. */
export class TrainProgram implements Disposable {
  readonly #library: PacketLibrary;
  readonly #descriptors: number[];

  private constructor(library: PacketLibrary, program: number) {
    this.#library = library;
    this.#descriptors = [program];
  }

  /** Undefined where the kernel is older than 6.6 or does not allow it (CAP_BPF and CAP_NET_ADMIN). */
  static load(library: PacketLibrary): TrainProgram | undefined {
    const instructions = assemble();
    const license = new TextEncoder().encode("Dual MIT/GPL\0");
    const attribute = new DataView(new ArrayBuffer(ATTRIBUTE_BYTES));
    attribute.setUint32(ATTRIBUTE.type, PROGRAM_TYPE_TC, true);
    attribute.setUint32(ATTRIBUTE.count, instructions.length / 8, true);
    attribute.setBigUint64(ATTRIBUTE.instructions, BigInt(library.addressOf(instructions)), true);
    attribute.setBigUint64(ATTRIBUTE.license, BigInt(library.addressOf(license)), true);
    attribute.setUint32(ATTRIBUTE.attachType, ATTACH_TCX_EGRESS, true);
    const program = library.bpf(COMMAND.loadProgram, new Uint8Array(attribute.buffer));
    return program < 0 ? undefined : new TrainProgram(library, program);
  }

  /** Puts the program on the way out of an interface; whether the kernel did it. */
  attach(interfaceIndex: number): boolean {
    const attribute = new DataView(new ArrayBuffer(ATTRIBUTE_BYTES));
    attribute.setUint32(LINK.program, this.#descriptors[0] ?? 0, true);
    attribute.setUint32(LINK.interface, interfaceIndex, true);
    attribute.setUint32(LINK.attachType, ATTACH_TCX_EGRESS, true);
    const link = this.#library.bpf(COMMAND.createLink, new Uint8Array(attribute.buffer));
    if (link >= 0) this.#descriptors.push(link);
    return link >= 0;
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors) this.#library.close(descriptor);
  }
}

/** The program's bytes. Register 6 keeps the frame, 7 the outer header's length, 8 what kind it is, 10 is the stack's end. */
function assemble(): Uint8Array<ArrayBuffer> {
  return encode([...recognize(), ...wrapAgain()]);
}

/** What kind of tunnel it is; all other frames go on as they are. */
function recognize(): (Instruction | Label)[] {
  return [
    move(6, 1),
    load(CODE.loadWord, 2, 6, CONTEXT.mark),
    jump(CODE.jumpUnequal, 2, TRAIN_MARK, "next"),
    set(2, 0),
    { code: CODE.storeWord, registers: pair(6, 2), offset: CONTEXT.mark, value: 0 },
    load(CODE.loadWord, 2, 6, CONTEXT.segmentBytes),
    jump(CODE.jumpEqual, 2, 0, "next"),
    set(2, ETHERNET_BYTES - 2),
    ...loadBytes(STACK.ethertype, set(4, 2), "drop"),
    load(CODE.loadHalf, 9, 10, STACK.ethertype),
    jump(CODE.jumpEqual, 9, ETHERTYPE.ipv4, "ipv4"),
    jump(CODE.jumpUnequal, 9, ETHERTYPE.ipv6, "next"),
    set(2, ETHERNET_BYTES + 6),
    set(7, 40),
    set(8, ROOM.fixedSegments | ROOM.ipv6),
    jump(CODE.jump, 0, 0, "protocol"),
    "ipv4",
    set(2, ETHERNET_BYTES + 9),
    set(7, 20),
    set(8, ROOM.fixedSegments | ROOM.ipv4),
    "protocol",
    ...loadBytes(STACK.protocol, set(4, 1), "drop"),
    load(CODE.loadByte, 9, 10, STACK.protocol),
    jump(CODE.jumpEqual, 9, PROTOCOL.ipip, "wrap"),
    jump(CODE.jumpEqual, 9, PROTOCOL.ipv6, "wrap"),
    jump(CODE.jumpEqual, 9, PROTOCOL.gre, "gre"),
    jump(CODE.jumpUnequal, 9, PROTOCOL.udp, "next"),
    add(7, 12),
    add(8, ROOM.udp),
    jump(CODE.jump, 0, 0, "wrap"),
    "gre",
    add(7, 4),
    add(8, ROOM.gre),
  ];
}

/** Off with the outer header, and on again with the kernel's knowledge. */
function wrapAgain(): (Instruction | Label)[] {
  return [
    "wrap",
    set(2, ETHERNET_BYTES),
    ...loadBytes(STACK.outer, move(4, 7), "drop"),
    move(2, 7),
    { code: CODE.negate, registers: 2, offset: 0, value: 0 },
    ...adjustRoom(set(4, ROOM.fixedSegments)),
    move(2, 7),
    ...adjustRoom(move(4, 8)),
    move(1, 6),
    set(2, ETHERNET_BYTES),
    move(3, 10),
    add(3, STACK.outer),
    move(4, 7),
    set(5, 0),
    call(HELPER.storeBytes),
    jump(CODE.jumpUnequal, 0, 0, "drop"),
    "next",
    set(0, VERDICT.next),
    { code: CODE.exit, registers: 0, offset: 0, value: 0 },
    "drop",
    set(0, VERDICT.drop),
    { code: CODE.exit, registers: 0, offset: 0, value: 0 },
  ];
}

const CODE = {
  add: 0x07,
  jump: 0x05,
  jumpEqual: 0x16,
  jumpUnequal: 0x56,
  loadWord: 0x61,
  storeWord: 0x63,
  loadHalf: 0x69,
  loadByte: 0x71,
  call: 0x85,
  negate: 0x87,
  exit: 0x95,
  set: 0xb7,
  move: 0xbf,
} as const;

function pair(to: number, from: number): number {
  return (from << 4) | to;
}

function move(to: number, from: number): Instruction {
  return { code: CODE.move, registers: pair(to, from), offset: 0, value: 0 };
}

function set(to: number, value: number): Instruction {
  return { code: CODE.set, registers: to, offset: 0, value };
}

function add(to: number, value: number): Instruction {
  return { code: CODE.add, registers: to, offset: 0, value };
}

function load(code: number, to: number, from: number, offset: number): Instruction {
  return { code, registers: pair(to, from), offset, value: 0 };
}

function jump(code: number, register: number, value: number, label: Label): Instruction {
  return { code, registers: register, offset: label, value };
}

function call(helper: number): Instruction {
  return { code: CODE.call, registers: 0, offset: 0, value: helper };
}

/** From the frame, at the place in register 2, to the stack. */
function loadBytes(stack: number, length: Instruction, otherwise: Label): Instruction[] {
  return [
    move(1, 6),
    move(3, 10),
    add(3, stack),
    length,
    call(HELPER.loadBytes),
    jump(CODE.jumpUnequal, 0, 0, otherwise),
  ];
}

/** Behind Ethernet, by as many bytes as register 2 says. */
function adjustRoom(flags: Instruction): Instruction[] {
  return [move(1, 6), set(3, ROOM_MAC), flags, call(HELPER.adjustRoom), jump(CODE.jumpUnequal, 0, 0, "drop")];
}

function encode(lines: readonly (Instruction | Label)[]): Uint8Array<ArrayBuffer> {
  const places = new Map<Label, number>();
  const instructions: Instruction[] = [];
  for (const line of lines) {
    if (typeof line === "string") places.set(line, instructions.length);
    else instructions.push(line);
  }
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(({ code, registers, offset, value }, i) => {
    view.setUint8(i * 8, code);
    view.setUint8(i * 8 + 1, registers);
    const distance = typeof offset === "number" ? offset : (places.get(offset) ?? 0) - i - 1;
    view.setInt16(i * 8 + 2, distance, true);
    view.setInt32(i * 8 + 4, value, true);
  });
  return new Uint8Array(view.buffer);
}
