/**
 * Finding the C library, and the functions of it that lvsd calls.
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
  bind: { parameters: ["i32", "usize", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "usize", "usize", "i32"], result: "i32" },
  recv: { parameters: ["i32", "usize", "usize", "i32"], result: "i32" },
  send: { parameters: ["i32", "usize", "usize", "i32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "usize", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "usize", "usize"], result: "i32" },
  getsockname: { parameters: ["i32", "usize", "usize"], result: "i32" },
  pipe2: { parameters: ["usize", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  splice: { parameters: ["i32", "usize", "i32", "usize", "usize", "u32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "usize"], result: "i32" },
} as const;

/** The functions, with addresses as numbers: Deno's types ask for a bigint where its calls take a number as well. */
export interface Functions {
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
  readonly bind: (descriptor: number, address: number, length: number) => number;
  readonly listen: (descriptor: number, backlog: number) => number;
  readonly accept4: (descriptor: number, address: number, length: number, flags: number) => number;
  readonly recv: (descriptor: number, address: number, bytes: number, flags: number) => number;
  readonly send: (descriptor: number, address: number, bytes: number, flags: number) => number;
  readonly shutdown: (descriptor: number, how: number) => number;
  readonly setsockopt: (fd: number, level: number, option: number, value: number, length: number) => number;
  readonly getsockopt: (fd: number, level: number, option: number, value: number, length: number) => number;
  readonly getsockname: (descriptor: number, address: number, length: number) => number;
  readonly pipe2: (descriptors: number, flags: number) => number;
  readonly fcntl: (descriptor: number, command: number, argument: number) => number;
  readonly splice: (
    from: number,
    fromOffset: number,
    to: number,
    toOffset: number,
    bytes: number,
    flags: number,
  ) => number;
  readonly clock_gettime: (clock: number, time: number) => number;
}

export interface Library {
  readonly symbols: Functions;
  close(): void;
}

/** @throws {SystemError} `FFI_UNAVAILABLE` */
export function openLibrary(): Library {
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

/** The error for a host where the C library cannot be called. */
export function unavailable(why: string, cause?: unknown): SystemError {
  return new SystemError(
    "FFI_UNAVAILABLE",
    `cannot call the C library: ${why}; the native engine needs Linux on x86_64 or aarch64 and --allow-ffi, ` +
      `"engine: portable" works everywhere`,
    { os: Deno.build.os, arch: Deno.build.arch },
    cause,
  );
}
