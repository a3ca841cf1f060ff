/**
 * The few functions of the C library that lvsd calls itself. Linux only, x86_64 and aarch64, glibc and musl.
 *
 * Every call answers like the kernel does: a result of 0 or more, or a negative errno (see `ERRNO`). Nothing is
 * allocated and nothing thrown, so a caller in a loop decides by an integer.
 *
 * @module
 */
import { type Address, errnoWord, type Library, openLibrary } from "./libc_library.ts";
import { SYSTEM_CALL } from "./system_calls.ts";

/**
 * The C library as one thread sees it. errno is a word of the thread, so each worker opens its own and never hands it
 * over. Buffers are passed by address (`addressOf`): the caller keeps the array alive for as long as the address is used.
 */
export class Libc implements Disposable {
  readonly #library: Library;
  readonly #errno: Int32Array<ArrayBuffer>;

  private constructor(library: Library) {
    this.#library = library;
    this.#errno = errnoWord(library.symbols.__errno_location());
  }

  /**
   * Opens the C library for this thread.
   *
   * @throws {SystemError} `FFI_UNAVAILABLE` on another system, on another processor, or when no library is found.
   */
  static open(): Libc {
    return new Libc(openLibrary());
  }

  /** A counter that wakes whoever waits for it; made non-blocking and closed on exec. */
  eventfd(initial: number, flags: number): number {
    return this.#result(this.#library.symbols.eventfd(initial, flags));
  }

  epollCreate(flags: number): number {
    return this.#result(this.#library.symbols.epoll_create1(flags));
  }

  /** @param eventAddress address of one `epoll_event` */
  epollCtl(epoll: number, operation: number, descriptor: number, eventAddress: Address): number {
    return this.#result(this.#library.symbols.epoll_ctl(epoll, operation, descriptor, eventAddress));
  }

  /**
   * Blocks the calling thread, timers and promises included, until an event or the time-out.
   *
   * @param timeoutMs -1 waits for ever
   * @returns how many `epoll_event` records were written
   */
  epollWait(epoll: number, eventsAddress: Address, maxEvents: number, timeoutMs: number): number {
    return this.#result(
      this.#library.symbols.waitCall(
        SYSTEM_CALL.epoll_pwait,
        epoll,
        eventsAddress,
        maxEvents,
        timeoutMs,
        null,
        0,
      ),
    );
  }

  read(descriptor: number, address: Address, bytes: number): number {
    return this.#result(this.#library.symbols.read(descriptor, address, bytes));
  }

  write(descriptor: number, address: Address, bytes: number): number {
    return this.#result(this.#library.symbols.write(descriptor, address, bytes));
  }

  close(descriptor: number): number {
    return this.#result(this.#library.symbols.closeCall(SYSTEM_CALL.close, descriptor));
  }

  socket(family: number, type: number, protocol: number): number {
    return this.#result(this.#library.symbols.socket(family, type, protocol));
  }

  /** @param address address of a `sockaddr` of `length` bytes */
  connect(descriptor: number, address: Address, length: number): number {
    return this.#result(this.#library.symbols.connectCall(SYSTEM_CALL.connect, descriptor, address, length));
  }

  bind(descriptor: number, address: Address, length: number): number {
    return this.#result(this.#library.symbols.bind(descriptor, address, length));
  }

  listen(descriptor: number, backlog: number): number {
    return this.#result(this.#library.symbols.listen(descriptor, backlog));
  }

  /** @param lengthAddress address of a `socklen_t` that holds the room at `address`, and afterwards the length */
  accept(descriptor: number, address: Address, lengthAddress: Address, flags: number): number {
    return this.#result(
      this.#library.symbols.acceptCall(SYSTEM_CALL.accept4, descriptor, address, lengthAddress, flags),
    );
  }

  receive(descriptor: number, address: Address, bytes: number, flags: number): number {
    return this.#result(
      this.#library.symbols.moveCall(SYSTEM_CALL.recvfrom, descriptor, address, bytes, flags, null, 0),
    );
  }

  send(descriptor: number, address: Address, bytes: number, flags: number): number {
    return this.#result(
      this.#library.symbols.moveCall(SYSTEM_CALL.sendto, descriptor, address, bytes, flags, null, 0),
    );
  }

  /** @param message address of a `msghdr` */
  sendMessage(descriptor: number, message: Address, flags: number): number {
    return this.#result(this.#library.symbols.sendmsg(descriptor, message, flags));
  }

  receiveMessage(descriptor: number, message: Address, flags: number): number {
    return this.#result(this.#library.symbols.recvmsg(descriptor, message, flags));
  }

  /**
   * Sends so many messages in one call.
   *
   * @param messages address of the first `mmsghdr`
   * @returns how many were sent; an error only when the first was not
   */
  sendMessages(descriptor: number, messages: Address, count: number, flags: number): number {
    return this.#result(
      this.#library.symbols.moveCall(SYSTEM_CALL.sendmmsg, descriptor, messages, count, flags, null, 0),
    );
  }

  /** Takes up to so many messages in one call; how many there were. */
  receiveMessages(descriptor: number, messages: Address, count: number, flags: number): number {
    return this.#result(
      this.#library.symbols.moveCall(SYSTEM_CALL.recvmmsg, descriptor, messages, count, flags, null, 0),
    );
  }

  shutdown(descriptor: number, how: number): number {
    return this.#result(this.#library.symbols.shutdown(descriptor, how));
  }

  setOption(descriptor: number, level: number, option: number, address: Address, length: number): number {
    return this.#result(this.#library.symbols.setsockopt(descriptor, level, option, address, length));
  }

  /** @param lengthAddress address of a `socklen_t` that holds the room at `address`, and afterwards the length */
  getOption(
    descriptor: number,
    level: number,
    option: number,
    address: Address,
    lengthAddress: Address,
  ): number {
    return this.#result(this.#library.symbols.getsockopt(descriptor, level, option, address, lengthAddress));
  }

  /** Address and port of the socket itself. */
  socketName(descriptor: number, address: Address, lengthAddress: Address): number {
    return this.#result(this.#library.symbols.getsockname(descriptor, address, lengthAddress));
  }

  /** @param address where two descriptors are written: the end to read, the end to write */
  pipe(address: Address, flags: number): number {
    return this.#result(this.#library.symbols.pipe2(address, flags));
  }

  fcntl(descriptor: number, command: number, argument: number): number {
    return this.#result(this.#library.symbols.fcntl(descriptor, command, argument));
  }

  /** Moves bytes inside the kernel; one of the two is a pipe. */
  splice(from: number, to: number, bytes: number, flags: number): number {
    return this.#result(this.#library.symbols.splice(from, null, to, null, bytes, flags));
  }

  /** @param address where a `timespec` is written */
  clockTime(clock: number, address: Address): number {
    return this.#result(this.#library.symbols.clock_gettime(clock, address));
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }

  // errno is read at once: whatever the runtime does next (a collection, a page returned) may set it anew.
  #result(value: number): number {
    return value < 0 ? -(this.#errno[0] ?? 0) : value;
  }
}

export type { Address } from "./libc_library.ts";

/**
 * Address of an array's first byte. It stays right for as long as the array lives: V8 never moves the memory behind a
 * buffer. Take it once and keep the array beside it.
 */
export function addressOf(array: ArrayBufferView<ArrayBuffer>): Address {
  return Deno.UnsafePointer.of(array);
}

/** The same as a number, to be written into a structure: user space ends below 2^53. */
export function addressNumber(array: ArrayBufferView<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(addressOf(array)));
}

/** The address so many bytes further on. */
export function addressBehind(address: Address, bytes: number): Address {
  return address === null ? null : Deno.UnsafePointer.offset(address, bytes);
}
