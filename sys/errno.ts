/**
 * Error numbers of Linux, the same on x86_64 and aarch64 (asm-generic/errno-base.h and errno.h).
 *
 * @module
 */
import { SystemError } from "../errors.ts";

/** The numbers that lvsd tells apart. `Libc` answers them negated. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EEXIST: 17,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EPIPE: 32,
  EPROTO: 71,
  EMSGSIZE: 90,
  ENOPROTOOPT: 92,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ESHUTDOWN: 108,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  EINPROGRESS: 115,
} as const;

/** Name of an error number for people: `EAGAIN`, or `errno 133` for one without a name here. */
export function errnoName(errno: number): string {
  return Object.entries(ERRNO).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}

/**
 * Passes a result on, or throws for a negative errno. For setting things up; a loop looks at the number itself.
 *
 * @throws {SystemError} `SYSTEM_CALL_FAILED`
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(checked("eventfd", 7), 7);
 * assert.throws(() => checked("eventfd", -ERRNO.EMFILE), /eventfd failed with EMFILE/);
 * ```
 */
export function checked(call: string, result: number): number {
  if (result >= 0) return result;
  const name = errnoName(-result);
  const advice = ADVICE[name] ?? "";
  throw new SystemError("SYSTEM_CALL_FAILED", `${call} failed with ${name}${advice}`, {
    call,
    errno: -result,
  });
}

const ADVICE: Readonly<Record<string, string>> = {
  EMFILE: "; the process has no descriptor left, raise `ulimit -n`",
  ENFILE: "; the system has no descriptor left, raise fs.file-max",
  EPERM: "; a privilege is missing",
};
