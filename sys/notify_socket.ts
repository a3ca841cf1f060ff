/**
 * Datagrams to a Unix socket, by which a service tells its manager how it is (`sd_notify`). Deno and Node have none that
 * could be sent without binding a file first. Linux only.
 *
 * @module
 */
import { openSymbols } from "./libc_library.ts";
import { MESSAGE, SOCKET } from "./socket_numbers.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
} as const;

const FAMILY_UNIX = 1;
const MONOTONIC = 1;
/** `struct sockaddr_un`: the family, then the path. */
const PATH_AT = 2;
const PATH_BYTES = 108;

/** Where a service manager listens. */
export class NotifySocket implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #address: Uint8Array<ArrayBuffer>;

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>, address: Uint8Array<ArrayBuffer>) {
    this.#library = library;
    this.#address = address;
  }

  /**
   * @param path of a file, or `@name` of an abstract socket
   * @throws {SystemError} `FFI_UNAVAILABLE`
   */
  static open(path: string): NotifySocket {
    return new NotifySocket(
      openSymbols(SYMBOLS, "the service manager is told by FFI alone"),
      addressOf(path),
    );
  }

  /** Sends without waiting: 0, or a negative errno. A socket for each, as the manager may begin anew with another. */
  send(text: string): number {
    const { socket, sendto, close } = this.#library.symbols;
    const descriptor = socket(FAMILY_UNIX, SOCKET.datagram | SOCKET.closeOnExec | SOCKET.nonBlocking, 0);
    if (descriptor < 0) return -this.#errno();
    const bytes = new TextEncoder().encode(text);
    const address = this.#address;
    const sent = sendto(descriptor, bytes, BigInt(bytes.length), MESSAGE.noSignal, address, address.length);
    const result = sent < 0 ? -this.#errno() : 0;
    close(descriptor);
    return result;
  }

  /** The manager's clock, CLOCK_MONOTONIC in microseconds. */
  nowUs(): bigint {
    const time = new BigInt64Array(2);
    this.#library.symbols.clock_gettime(MONOTONIC, time);
    const [seconds = 0n, nanoseconds = 0n] = time;
    return seconds * 1_000_000n + nanoseconds / 1_000n;
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }

  #errno(): number {
    const pointer = this.#library.symbols.__errno_location();
    return pointer === null ? 1 : new Deno.UnsafePointerView(pointer).getInt32();
  }
}

/** An abstract name begins with a zero byte and is as long as the address says; a path ends with one. */
function addressOf(path: string): Uint8Array<ArrayBuffer> {
  const isAbstract = path.startsWith("@");
  const name = new TextEncoder().encode(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  const address = new Uint8Array(PATH_AT + Math.min(name.length, PATH_BYTES));
  new DataView(address.buffer).setUint16(0, FAMILY_UNIX, true);
  address.set(name.subarray(0, PATH_BYTES), PATH_AT);
  return address;
}
