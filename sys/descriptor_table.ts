/**
 * The file descriptors of this process: how many it may have, and which of the first ones are open. Linux only.
 *
 * @module
 */
import { openSymbols } from "./libc_library.ts";

const SYMBOLS = {
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32" },
} as const;

const PURPOSE = "counting descriptors needs Linux on x86_64 or aarch64, and --allow-ffi";
const LIMIT_OF_DESCRIPTORS = 7;
/** Of `struct pollfd`'s second word the upper half: what poll found. */
const NOT_OPEN = 0x20 << 16;

/** What the system says of the table. */
export interface DescriptorTable {
  /** Infinity where the system sets no limit, or does not say. */
  readonly limit: number;
  /** Open ones among those that were looked at. */
  readonly open: number;
}

/**
 * Looks at the first `most` descriptors. One poll tells of all of them: 4,096 times fcntl took 8 ms of the start.
 *
 * @throws {SystemError} `FFI_UNAVAILABLE`
 */
export function readDescriptorTable(most: number): DescriptorTable {
  const library = openSymbols(SYMBOLS, PURPOSE);
  try {
    const { getrlimit, poll } = library.symbols;
    const limits = new BigUint64Array(2);
    const [now = 0n] = getrlimit(LIMIT_OF_DESCRIPTORS, limits) < 0 ? [] : limits;
    const limit = now === 0n || now > BigInt(Number.MAX_SAFE_INTEGER) ? Infinity : Number(now);
    // poll takes no more than there may be.
    const count = Math.min(limit, most);
    const asked = new Int32Array(2 * count);
    for (let it = 0; it < count; it++) asked[2 * it] = it;
    if (poll(asked, BigInt(count), 0) < 0) return { limit, open: 0 };
    let open = 0;
    for (let it = 0; it < count; it++) open += ((asked[2 * it + 1] ?? 0) & NOT_OPEN) === 0 ? 1 : 0;
    return { limit, open };
  } finally {
    library.close();
  }
}
