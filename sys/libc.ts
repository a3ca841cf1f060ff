/**
 * The few functions of the C library that lvsd calls itself. Linux only, x86_64 and aarch64, glibc and musl.
 *
 * Every call answers like the kernel does: a result of 0 or more, or a negative errno (see `ERRNO`). Nothing is
 * allocated and nothing thrown, so a caller in a loop decides by an integer.
 *
 * @module
 */
import { SystemError } from "../errors.ts";

/**
 * Names of the C library, glibc first. musl has one name per architecture.
 * `libc.so` alone would not do: where a compiler is installed it is a linker script, not a library.
 */
const LIBRARY_NAMES = {
  x86_64: ["libc.so.6", "libc.musl-x86_64.so.1"],
  aarch64: ["libc.so.6", "libc.musl-aarch64.so.1"],
} as const;

// An address is `usize`, which takes a plain number: `pointer` would cost an object per call, and a number's 2^53 covers
// user space (2^47). read and write answer an i32: the kernel moves at most 0x7ffff000 bytes at once, so the low half of
// the register is the whole answer, and an `isize` would arrive as a bigint.
const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "usize"], result: "i32" },
  epoll_wait: { parameters: ["i32", "usize", "i32", "i32"], result: "i32" },
  read: { parameters: ["i32", "usize", "usize"], result: "i32" },
  write: { parameters: ["i32", "usize", "usize"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "usize", "u32"], result: "i32" },
} as const;

/** `SYMBOLS` with addresses as numbers: Deno's types ask for a bigint where its calls take a number as well. */
interface Functions {
  readonly __errno_location: () => Deno.PointerValue;
  readonly eventfd: (initial: number, flags: number) => number;
  readonly epoll_create1: (flags: number) => number;
  readonly epoll_ctl: (epoll: number, operation: number, descriptor: number, event: number) => number;
  readonly epoll_wait: (epoll: number, events: number, maxEvents: number, timeoutMs: number) => number;
  readonly read: (descriptor: number, address: number, bytes: number) => number;
  readonly write: (descriptor: number, address: number, bytes: number) => number;
  readonly close: (descriptor: number) => number;
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly connect: (descriptor: number, address: number, length: number) => number;
}

interface Library {
  readonly symbols: Functions;
  close(): void;
}

/**
 * The C library as one thread sees it. errno is a word of the thread, so each worker opens its own and never hands it
 * over. Buffers are passed by address (`addressOf`): the caller keeps the array alive for as long as the address is used.
 */
export class Libc implements Disposable {
  readonly #library: Library;
  readonly #errno: Deno.UnsafePointerView;

  private constructor(library: Library, errno: Deno.PointerObject) {
    this.#library = library;
    this.#errno = new Deno.UnsafePointerView(errno);
  }

  /**
   * Opens the C library for this thread.
   *
   * @throws {SystemError} `FFI_UNAVAILABLE` on another system, on another processor, or when no library is found.
   */
  static open(): Libc {
    const library = openLibrary();
    const errno = library.symbols.__errno_location();
    if (errno === null) throw unavailable("the C library has no errno");
    return new Libc(library, errno);
  }

  /** A counter that wakes whoever waits for it; made non-blocking and closed on exec. */
  eventfd(initial: number, flags: number): number {
    return this.#result(this.#library.symbols.eventfd(initial, flags));
  }

  epollCreate(flags: number): number {
    return this.#result(this.#library.symbols.epoll_create1(flags));
  }

  /** @param eventAddress address of one `epoll_event`; 0 for `EPOLL_CTL_DEL` */
  epollCtl(epoll: number, operation: number, descriptor: number, eventAddress: number): number {
    return this.#result(this.#library.symbols.epoll_ctl(epoll, operation, descriptor, eventAddress));
  }

  /**
   * Blocks the calling thread, timers and promises included, until an event or the time-out.
   *
   * @param timeoutMs -1 waits for ever
   * @returns how many `epoll_event` records were written
   */
  epollWait(epoll: number, eventsAddress: number, maxEvents: number, timeoutMs: number): number {
    return this.#result(this.#library.symbols.epoll_wait(epoll, eventsAddress, maxEvents, timeoutMs));
  }

  read(descriptor: number, address: number, bytes: number): number {
    return this.#result(this.#library.symbols.read(descriptor, address, bytes));
  }

  write(descriptor: number, address: number, bytes: number): number {
    return this.#result(this.#library.symbols.write(descriptor, address, bytes));
  }

  close(descriptor: number): number {
    return this.#result(this.#library.symbols.close(descriptor));
  }

  socket(family: number, type: number, protocol: number): number {
    return this.#result(this.#library.symbols.socket(family, type, protocol));
  }

  /** @param address address of a `sockaddr` of `length` bytes */
  connect(descriptor: number, address: number, length: number): number {
    return this.#result(this.#library.symbols.connect(descriptor, address, length));
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }

  // errno is read at once: whatever the runtime does next (a collection, a page returned) may set it anew.
  #result(value: number): number {
    return value < 0 ? -this.#errno.getInt32() : value;
  }
}

/**
 * Address of an array's first byte. It stays right for as long as the array lives: V8 never moves the memory behind a
 * buffer. Take it once and keep the array beside it.
 */
export function addressOf(array: ArrayBufferView<ArrayBuffer>): number {
  const pointer = Deno.UnsafePointer.of(array);
  return pointer === null ? 0 : Number(Deno.UnsafePointer.value(pointer));
}

function openLibrary(): Library {
  const { os, arch } = Deno.build;
  if (os !== "linux") throw unavailable(`this is ${os}`);
  const refusals: string[] = [];
  for (const name of LIBRARY_NAMES[arch]) {
    try {
      return Deno.dlopen(name, SYMBOLS) as unknown as Library;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw unavailable("--allow-ffi was not given", error);
      refusals.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw unavailable(refusals.join("; "));
}

function unavailable(why: string, cause?: unknown): SystemError {
  return new SystemError(
    "FFI_UNAVAILABLE",
    `cannot call the C library: ${why}; the native engine needs Linux on x86_64 or aarch64 and --allow-ffi, ` +
      `"engine: portable" works everywhere`,
    { os: Deno.build.os, arch: Deno.build.arch },
    cause,
  );
}
