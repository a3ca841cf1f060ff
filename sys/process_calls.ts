/**
 * The functions of the C library by which a process asks who it is and becomes somebody else. Linux only.
 *
 * Every call answers like the kernel does: a result of 0 or more, or a negative errno.
 *
 * @module
 */
import { errnoWord, openSymbols } from "./libc_library.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  access: { parameters: ["buffer", "i32"], result: "i32" },
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  setgroups: { parameters: ["usize", "buffer"], result: "i32" },
  setresgid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  setresuid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  capset: { parameters: ["buffer", "buffer"], result: "i32" },
  execv: { parameters: ["buffer", "buffer"], result: "i32" },
  getpwnam: { parameters: ["buffer"], result: "pointer" },
  getpwuid: { parameters: ["u32"], result: "pointer" },
  getgrnam: { parameters: ["buffer"], result: "pointer" },
  getgrouplist: { parameters: ["buffer", "u32", "buffer", "buffer"], result: "i32" },
} as const;

const PURPOSE = "this needs Linux on x86_64 or aarch64, and --allow-ffi";
const READ_ONLY = 0;
const CLOSE_ON_EXEC = 0o2000000;
/** Words of `struct __user_cap_data_struct`, twice: capabilities 0 to 31 and 32 to 63. */
const CAPABILITY_WORDS = 6;
const CAPABILITY_VERSION_3 = 0x2008_0522;
/** More groups than a user of any real host has; the kernel takes 65,536. */
const GROUPS_AT_MOST = 4_096;

/** `access(2)`: what is asked about a file. */
export const ACCESS = { exists: 0, execute: 1, write: 2, read: 4 } as const;

/** What the user database says of a user. */
export interface UserEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The calls of one thread, which should be the main one: half of them change this thread alone. */
export class ProcessCalls implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #errno: Int32Array<ArrayBuffer>;

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#library = library;
    this.#errno = errnoWord(library.symbols.__errno_location(), PURPOSE);
  }

  /** @throws {SystemError} `FFI_UNAVAILABLE` */
  static open(): ProcessCalls {
    return new ProcessCalls(openSymbols(SYMBOLS, PURPOSE));
  }

  /** Bytes of a file of /proc or /sys, which Deno opens with --allow-all only; undefined when it cannot be read. */
  readKernelFile(path: string, bytesAtMost = 262_144): Uint8Array | undefined {
    const { open, read, close } = this.#library.symbols;
    const descriptor = open(cString(path), READ_ONLY | CLOSE_ON_EXEC, 0);
    if (descriptor < 0) return undefined;
    const bytes = new Uint8Array(bytesAtMost);
    let size = 0;
    for (let count = 1; count > 0 && size < bytes.length; size += Math.max(count, 0)) {
      count = read(descriptor, bytes.subarray(size), BigInt(bytes.length - size));
    }
    close(descriptor);
    return bytes.slice(0, size);
  }

  /** Whether the process' real user may do this with a file; see {@linkcode ACCESS}. */
  mayAccess(path: string, how: number): boolean {
    return this.#library.symbols.access(cString(path), how) === 0;
  }

  processControl(option: number, first: number, second = 0): number {
    return this.#result(this.#library.symbols.prctl(option, BigInt(first), BigInt(second), 0n, 0n));
  }

  /** Real, effective and saved user and group of every thread, and the list of further groups. */
  setUser({ uid, gid, groups }: { uid: number; gid: number; groups: Uint32Array<ArrayBuffer> }): number {
    const { setgroups, setresgid, setresuid } = this.#library.symbols;
    const results = [
      () => setgroups(BigInt(groups.length), groups),
      () => setresgid(gid, gid, gid),
      () => setresuid(uid, uid, uid),
    ];
    for (const call of results) {
      const result = this.#result(call());
      if (result < 0) return result;
    }
    return 0;
  }

  /** Effective, permitted and inheritable capabilities of this thread alone. @param bits bit 10 is capability 10 */
  setCapabilities(bits: bigint): number {
    const header = new Uint32Array([CAPABILITY_VERSION_3, 0]);
    const data = new Uint32Array(CAPABILITY_WORDS);
    data.fill(Number(bits & 0xffff_ffffn), 0, 3);
    data.fill(Number(bits >> 32n), 3);
    return this.#result(this.#library.symbols.capset(header, data));
  }

  /** Becomes another program, with the environment as it is now. Returns only when that failed. */
  execute(path: string, words: readonly string[]): number {
    const texts = words.map(cString);
    const list = new BigUint64Array([
      ...texts.map((it) => BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(it)))),
      0n,
    ]);
    const result = this.#result(this.#library.symbols.execv(cString(path), list));
    // Keeps the words alive until the call is over.
    return texts.length === words.length ? result : 0;
  }

  /** @param user name or number */
  findUser(user: string): UserEntry | undefined {
    const { getpwnam, getpwuid } = this.#library.symbols;
    const found = getpwnam(cString(user)) ?? (/^\d{1,9}$/.test(user) ? getpwuid(Number(user)) : null);
    if (found === null) return undefined;
    // struct passwd: two pointers, then the numbers; the same in glibc and musl.
    const view = new Deno.UnsafePointerView(found);
    const name = view.getPointer(0);
    const text = name === null ? user : Deno.UnsafePointerView.getCString(name);
    return { name: text, uid: view.getUint32(16), gid: view.getUint32(20) };
  }

  /** Number of a group, by name or number. */
  findGroup(group: string): number | undefined {
    const found = this.#library.symbols.getgrnam(cString(group));
    if (found !== null) return new Deno.UnsafePointerView(found).getUint32(16);
    return /^\d{1,9}$/.test(group) ? Number(group) : undefined;
  }

  /** Every group of a user, `gid` among them. */
  groupsOf(user: string, gid: number): Uint32Array<ArrayBuffer> {
    const groups = new Uint32Array(GROUPS_AT_MOST);
    const count = new Int32Array([groups.length]);
    const result = this.#library.symbols.getgrouplist(cString(user), gid, groups, count);
    return result < 0 ? new Uint32Array([gid]) : groups.slice(0, count[0] ?? 0);
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }

  // errno is read at once: whatever the runtime does next may set it anew.
  #result(value: number): number {
    return value < 0 ? -(this.#errno[0] ?? 0) : value;
  }
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`) as Uint8Array<ArrayBuffer>;
}
