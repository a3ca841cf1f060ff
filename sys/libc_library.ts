/**
 * Finding the C library, and the functions of it that lvsd calls.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import { type Address, SYSTEM_CALL_SYMBOLS, type SystemCalls } from "./system_calls.ts";

/**
 * Names of the C library, glibc first. musl has one name per architecture.
 * `libc.so` alone would not do: where a compiler is installed it is a linker script, not a library.
 */
const LIBRARY_NAMES = {
  x86_64: ["libc.so.6", "libc.musl-x86_64.so.1"],
  aarch64: ["libc.so.6", "libc.musl-aarch64.so.1"],
} as const;

// V8 calls a function directly when all its parameters are pointers and 32-bit numbers. A single `usize` costs 170 ns more for
// each call (recv on a quiet socket: 320 ns, or 490; 305 in C), so lengths are u32. read and write answer an i32: the kernel
// moves at most 0x7ffff000 bytes at once, so the low half of the register is the whole answer.
const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "pointer"], result: "i32" },
  read: { parameters: ["i32", "pointer", "u32"], result: "i32" },
  write: { parameters: ["i32", "pointer", "u32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "pointer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  sendmsg: { parameters: ["i32", "pointer", "i32"], result: "i32" },
  recvmsg: { parameters: ["i32", "pointer", "i32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "pointer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "pointer", "pointer"], result: "i32" },
  getsockname: { parameters: ["i32", "pointer", "pointer"], result: "i32" },
  pipe2: { parameters: ["pointer", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  splice: { parameters: ["i32", "pointer", "i32", "pointer", "u32", "u32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "pointer"], result: "i32" },
  ...SYSTEM_CALL_SYMBOLS,
} as const;

export type { Address } from "./system_calls.ts";

/** The functions as they are called. */
export interface Functions extends SystemCalls {
  readonly __errno_location: () => Deno.PointerValue;
  readonly eventfd: (initial: number, flags: number) => number;
  readonly epoll_create1: (flags: number) => number;
  readonly epoll_ctl: (epoll: number, operation: number, descriptor: number, event: Address) => number;
  readonly read: (descriptor: number, address: Address, bytes: number) => number;
  readonly write: (descriptor: number, address: Address, bytes: number) => number;
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly bind: (descriptor: number, address: Address, length: number) => number;
  readonly listen: (descriptor: number, backlog: number) => number;
  readonly sendmsg: (descriptor: number, message: Address, flags: number) => number;
  readonly recvmsg: (descriptor: number, message: Address, flags: number) => number;
  readonly shutdown: (descriptor: number, how: number) => number;
  readonly setsockopt: (fd: number, level: number, option: number, value: Address, length: number) => number;
  readonly getsockopt: (fd: number, level: number, option: number, value: Address, length: Address) => number;
  readonly getsockname: (descriptor: number, address: Address, length: Address) => number;
  readonly pipe2: (descriptors: Address, flags: number) => number;
  readonly fcntl: (descriptor: number, command: number, argument: number) => number;
  readonly splice: (
    from: number,
    fromOffset: Address,
    to: number,
    toOffset: Address,
    bytes: number,
    flags: number,
  ) => number;
  readonly clock_gettime: (clock: number, time: Address) => number;
}

export interface Library {
  readonly symbols: Functions;
  close(): void;
}

/** @throws {SystemError} `FFI_UNAVAILABLE` */
export function openLibrary(): Library {
  return openSymbols(SYMBOLS, NATIVE_ENGINE) as unknown as Library;
}

/**
 * Other functions of the same library, for a part that needs them seldom.
 *
 * @param purpose ends the message: what cannot be had, and what to do
 * @throws {SystemError} `FFI_UNAVAILABLE`
 */
export function openSymbols<const Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
  purpose: string,
): Deno.DynamicLibrary<Symbols> {
  const { os, arch } = Deno.build;
  if (os !== "linux") throw unavailable(`this is ${os}`, undefined, purpose);
  const refusals: string[] = [];
  for (const name of LIBRARY_NAMES[arch]) {
    try {
      return Deno.dlopen(name, symbols);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) {
        throw unavailable("--allow-ffi was not given", error, purpose);
      }
      refusals.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw unavailable(refusals.join("; "), undefined, purpose);
}

const NATIVE_ENGINE = "the native engine needs Linux on x86_64 or aarch64 and --allow-ffi, " +
  `"engine: portable" works everywhere`;

/** The one call that waits on a thread of the runtime, so that the caller's goes on. */
export interface Waiter {
  readonly symbols: {
    readonly poll: (polls: Address, count: bigint, timeoutMs: number) => Promise<number>;
  };
  close(): void;
}

/** @throws {SystemError} `FFI_UNAVAILABLE` */
export function openWaiter(): Waiter {
  return openSymbols(
    { poll: { parameters: ["pointer", "u64", "i32"], result: "i32", nonblocking: true } },
    "handing sockets over (handOver) needs Linux and --allow-ffi",
  );
}

/**
 * The word of this thread in which a failed call leaves its error number. To ask the runtime for it costs 50 ns more each time.
 *
 * @param location what `__errno_location` answers
 * @throws {SystemError} `FFI_UNAVAILABLE`
 */
export function errnoWord(location: Deno.PointerValue, purpose = NATIVE_ENGINE): Int32Array<ArrayBuffer> {
  if (location === null) throw unavailable("the C library has no errno", undefined, purpose);
  return new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, Int32Array.BYTES_PER_ELEMENT));
}

/** The error for a host where the C library cannot be called. */
function unavailable(why: string, cause?: unknown, purpose = NATIVE_ENGINE): SystemError {
  return new SystemError(
    "FFI_UNAVAILABLE",
    `cannot call the C library: ${why}; ${purpose}`,
    { os: Deno.build.os, arch: Deno.build.arch },
    cause,
  );
}
