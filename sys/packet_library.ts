/**
 * The functions of the C library that packet sockets need. Linux only, x86_64 and aarch64.
 *
 * Every call answers like the kernel does: a result of 0 or more, or a negative errno.
 *
 * @module
 */
import { checked } from "./errno.ts";
import { errnoWord, openSymbols } from "./libc_library.ts";

const PURPOSE = "the packet engine needs Linux on x86_64 or aarch64 and --allow-ffi";

// Pointers made once and 32-bit numbers: `libc_library.ts` tells why.
const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "usize"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  poll: { parameters: ["pointer", "u32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  recv: { parameters: ["i32", "pointer", "u32", "i32"], result: "i32" },
  syscall: { parameters: ["i64", "i64", "buffer", "i64"], result: "i32" },
  writev: { parameters: ["i32", "pointer", "i32"], result: "i32" },
  recvmmsg: { parameters: ["i32", "pointer", "u32", "i32", "pointer"], result: "i32" },
  sendmmsg: { parameters: ["i32", "pointer", "u32", "i32"], result: "i32" },
} as const;

interface Functions {
  readonly __errno_location: () => Deno.PointerValue;
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: Uint8Array, length: number) => number;
  readonly setsockopt: (
    fd: number,
    level: number,
    option: number,
    value: Uint8Array,
    length: number,
  ) => number;
  readonly ioctl: (fd: number, request: number, argument: Uint8Array) => number;
  readonly mmap: (
    address: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ) => Deno.PointerValue;
  readonly munmap: (address: Deno.PointerValue, length: number) => number;
  readonly poll: (descriptors: Address, count: number, timeoutMs: number) => number;
  readonly close: (fd: number) => number;
  readonly open: (path: Uint8Array, flags: number, mode: number) => number;
  readonly recv: (fd: number, address: Address, length: number, flags: number) => number;
  readonly syscall: (number: bigint, command: bigint, bytes: Uint8Array, length: bigint) => number;
  readonly writev: (fd: number, vectors: Address, count: number) => number;
  readonly recvmmsg: (fd: number, messages: Address, count: number, flags: number, wait: null) => number;
  readonly sendmmsg: (fd: number, messages: Address, count: number, flags: number) => number;
}

interface Library {
  readonly symbols: Functions;
  close(): void;
}

/** Calls for which the C library has no function. */
const SYSTEM_CALL = {
  bpf: { x86_64: 321n, aarch64: 280n },
  setScheduling: { x86_64: 314n, aarch64: 274n },
} as const;
const PROTECTION_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;

/** Where something lies in memory; made once, since each is an object. */
export type Address = Deno.PointerValue;

/** A mapped range of memory. */
export interface Mapping {
  readonly pointer: Deno.PointerObject;
  readonly address: number;
  readonly buffer: ArrayBuffer;
}

/** The C library as one thread sees it: errno is a word of the thread. */
export class PacketLibrary implements Disposable {
  readonly #library: Library;
  readonly #errno: Int32Array<ArrayBuffer>;

  private constructor(library: Library) {
    this.#library = library;
    this.#errno = errnoWord(library.symbols.__errno_location(), PURPOSE);
  }

  /** @throws {SystemError} `FFI_UNAVAILABLE` */
  static open(): PacketLibrary {
    return new PacketLibrary(openSymbols(SYMBOLS, PURPOSE) as unknown as Library);
  }

  socket(family: number, type: number, protocol: number): number {
    return this.#result(this.#library.symbols.socket(family, type, protocol));
  }

  bind(fd: number, address: Uint8Array): number {
    return this.#result(this.#library.symbols.bind(fd, address, address.length));
  }

  setOption(fd: number, level: number, option: number, value: Uint8Array): number {
    return this.#result(this.#library.symbols.setsockopt(fd, level, option, value, value.length));
  }

  ioctl(fd: number, request: number, argument: Uint8Array): number {
    return this.#result(this.#library.symbols.ioctl(fd, request, argument));
  }

  /** Waits until one of `count` descriptors has something; `descriptors` are `pollfd` records. */
  poll(descriptors: Address, count: number, timeoutMs: number): number {
    return this.#result(this.#library.symbols.poll(descriptors, count, timeoutMs));
  }

  close(fd: number): number {
    return this.#result(this.#library.symbols.close(fd));
  }

  open(path: string, flags: number): number {
    return this.#result(this.#library.symbols.open(new TextEncoder().encode(`${path}\0`), flags, 0));
  }

  receive(fd: number, address: Address, length: number, flags: number): number {
    return this.#result(this.#library.symbols.recv(fd, address, length, flags));
  }

  /** Writes the pieces that `count` vectors (`struct iovec`) tell of. */
  writeVectors(fd: number, vectors: Address, count: number): number {
    return this.#result(this.#library.symbols.writev(fd, vectors, count));
  }

  /** Takes at most `count` messages (`struct mmsghdr`); how many came. */
  receiveMessages(fd: number, messages: Address, count: number, flags: number): number {
    return this.#result(this.#library.symbols.recvmmsg(fd, messages, count, flags, null));
  }

  /** Sends `count` messages (`struct mmsghdr`); how many went. */
  sendMessages(fd: number, messages: Address, count: number, flags: number): number {
    return this.#result(this.#library.symbols.sendmmsg(fd, messages, count, flags));
  }

  /** Programs in the kernel: a command with its attributes (`union bpf_attr`). */
  bpf(command: number, attribute: Uint8Array): number {
    const { syscall } = this.#library.symbols;
    const length = BigInt(attribute.length);
    return this.#result(syscall(SYSTEM_CALL.bpf[Deno.build.arch], BigInt(command), attribute, length));
  }

  /** How the calling thread is scheduled (`struct sched_attr`). */
  setScheduling(attribute: Uint8Array): number {
    const { syscall } = this.#library.symbols;
    return this.#result(syscall(SYSTEM_CALL.setScheduling[Deno.build.arch], 0n, attribute, 0n));
  }

  /** Where bytes of this program lie, for a call; they stay there as long as they live. */
  pointerOf(bytes: Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): Address {
    return Deno.UnsafePointer.of(bytes);
  }

  /** The same as a number, for a record that the kernel reads. */
  addressOf(bytes: Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): number {
    return Number(Deno.UnsafePointer.value(this.pointerOf(bytes)));
  }

  /** Maps a descriptor's memory. @throws {SystemError} `SYSTEM_CALL_FAILED` */
  map(fd: number, length: number): Mapping {
    const { mmap } = this.#library.symbols;
    const pointer = mmap(0, length, PROTECTION_READ_WRITE, MAP_SHARED, fd, 0);
    const value = Deno.UnsafePointer.value(pointer);
    if (pointer === null || BigInt(value) === MAP_FAILED) {
      checked("mmap of a packet ring", -(this.#errno[0] ?? 0) || -1);
    }
    const object = pointer as Deno.PointerObject;
    return {
      pointer: object,
      address: Number(value),
      buffer: Deno.UnsafePointerView.getArrayBuffer(object, length),
    };
  }

  unmap({ pointer, buffer }: Mapping): void {
    this.#library.symbols.munmap(pointer, buffer.byteLength);
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }

  #result(value: number): number {
    return value < 0 ? -(this.#errno[0] ?? 0) : value;
  }
}
