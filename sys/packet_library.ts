/**
 * The functions of the C library that packet sockets need. Linux only, x86_64 and aarch64.
 *
 * Every call answers like the kernel does: a result of 0 or more, or a negative errno.
 *
 * @module
 */
import { checked } from "./errno.ts";
import { openSymbols, unavailable } from "./libc_library.ts";

const PURPOSE = "the packet engine needs Linux on x86_64 or aarch64 and --allow-ffi";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "usize"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  // By address for frames in the ring, where an address is known; by buffer for all others.
  send: { parameters: ["i32", "usize", "usize", "i32"], result: "i32" },
  sendBuffer: { name: "send", parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
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
  readonly poll: (descriptors: Uint8Array, count: number, timeoutMs: number) => number;
  readonly close: (fd: number) => number;
  readonly open: (path: Uint8Array, flags: number, mode: number) => number;
  readonly recv: (fd: number, bytes: Uint8Array, length: number, flags: number) => number;
  readonly write: (fd: number, bytes: Uint8Array, length: number) => number;
  readonly send: (fd: number, address: number, length: number, flags: number) => number;
  readonly sendBuffer: (fd: number, bytes: Uint8Array, length: number, flags: number) => number;
}

interface Library {
  readonly symbols: Functions;
  close(): void;
}

const PROTECTION_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;

/** A mapped range of memory. */
export interface Mapping {
  readonly pointer: Deno.PointerObject;
  readonly address: number;
  readonly buffer: ArrayBuffer;
}

/** The C library as one thread sees it: errno is a word of the thread. */
export class PacketLibrary implements Disposable {
  readonly #library: Library;
  readonly #errno: Deno.UnsafePointerView;

  private constructor(library: Library, errno: Deno.PointerObject) {
    this.#library = library;
    this.#errno = new Deno.UnsafePointerView(errno);
  }

  /** @throws {SystemError} `FFI_UNAVAILABLE` */
  static open(): PacketLibrary {
    const library = openSymbols(SYMBOLS, PURPOSE) as unknown as Library;
    const errno = library.symbols.__errno_location();
    if (errno === null) throw unavailable("the C library has no errno", undefined, PURPOSE);
    return new PacketLibrary(library, errno);
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

  /** Waits until a descriptor has something; `descriptors` are `pollfd` records. */
  poll(descriptors: Uint8Array, timeoutMs: number): number {
    return this.#result(this.#library.symbols.poll(descriptors, descriptors.length / 8, timeoutMs));
  }

  close(fd: number): number {
    return this.#result(this.#library.symbols.close(fd));
  }

  open(path: string, flags: number): number {
    return this.#result(this.#library.symbols.open(new TextEncoder().encode(`${path}\0`), flags, 0));
  }

  receive(fd: number, bytes: Uint8Array, flags: number): number {
    return this.#result(this.#library.symbols.recv(fd, bytes, bytes.length, flags));
  }

  write(fd: number, bytes: Uint8Array): number {
    return this.#result(this.#library.symbols.write(fd, bytes, bytes.length));
  }

  send(fd: number, address: number, length: number, flags: number): number {
    return this.#result(this.#library.symbols.send(fd, address, length, flags));
  }

  sendBuffer(fd: number, bytes: Uint8Array, flags: number): number {
    return this.#result(this.#library.symbols.sendBuffer(fd, bytes, bytes.length, flags));
  }

  /** Maps a descriptor's memory. @throws {SystemError} `SYSTEM_CALL_FAILED` */
  map(fd: number, length: number): Mapping {
    const { mmap } = this.#library.symbols;
    const pointer = mmap(0, length, PROTECTION_READ_WRITE, MAP_SHARED, fd, 0);
    const value = Deno.UnsafePointer.value(pointer);
    if (pointer === null || BigInt(value) === MAP_FAILED) {
      checked("mmap of a packet ring", -this.#errno.getInt32() || -1);
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
    return value < 0 ? -this.#errno.getInt32() : value;
  }
}
