/**
 * System calls of the data path, by number: `syscall(number, ...)` of the C library.
 *
 * Its functions of the same names may be cancelled by another thread, and where there are threads each call pays for that: 50 ns
 * (recv on a quiet socket: 240 ns, or 190). Nobody cancels here.
 *
 * @module
 */

/** From `asm/unistd.h`. Of waiting, aarch64 has only the newer call. */
const NUMBERS = {
  x86_64: {
    accept4: 288,
    close: 3,
    connect: 42,
    epoll_pwait: 281,
    recvfrom: 45,
    recvmmsg: 299,
    sendmmsg: 307,
    sendto: 44,
  },
  aarch64: {
    accept4: 242,
    close: 57,
    connect: 203,
    epoll_pwait: 22,
    recvfrom: 207,
    recvmmsg: 243,
    sendmmsg: 269,
    sendto: 206,
  },
} as const;

/** The numbers of this processor's kind. */
export const SYSTEM_CALL: Readonly<Record<keyof typeof NUMBERS["x86_64"], number>> = NUMBERS[Deno.build.arch];

/** Where something lies in memory; made once by `addressOf`, since each is an object. */
export type Address = Deno.PointerValue;

/** The functions as they are called, each with the number of the call first. */
export interface SystemCalls {
  readonly closeCall: (number: number, descriptor: number) => number;
  readonly connectCall: (number: number, descriptor: number, name: Address, length: number) => number;
  readonly acceptCall: (
    number: number,
    descriptor: number,
    name: Address,
    length: Address,
    flags: number,
  ) => number;
  readonly moveCall: (
    number: number,
    descriptor: number,
    address: Address,
    length: number,
    flags: number,
    none: null,
    noBytes: 0,
  ) => number;
  readonly waitCall: (
    number: number,
    epoll: number,
    events: Address,
    maxEvents: number,
    timeoutMs: number,
    signals: null,
    noBytes: 0,
  ) => number;
}

/**
 * One symbol for each signature, with all parameters of the call: for an address that is null the kernel does not look at its
 * length, but others that stand in its place do. qemu's `sendto` fails with EINVAL for what was left in the register.
 */
export const SYSTEM_CALL_SYMBOLS = {
  closeCall: { name: "syscall", parameters: ["i32", "i32"], result: "i32" },
  connectCall: { name: "syscall", parameters: ["i32", "i32", "pointer", "u32"], result: "i32" },
  acceptCall: { name: "syscall", parameters: ["i32", "i32", "pointer", "pointer", "i32"], result: "i32" },
  /** recvfrom and sendto without an address, recvmmsg without a time-out, sendmmsg. */
  moveCall: {
    name: "syscall",
    parameters: ["i32", "i32", "pointer", "u32", "i32", "pointer", "u32"],
    result: "i32",
  },
  waitCall: {
    name: "syscall",
    parameters: ["i32", "i32", "pointer", "i32", "i32", "pointer", "u32"],
    result: "i32",
  },
} as const;
