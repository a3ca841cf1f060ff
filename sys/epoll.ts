/**
 * `epoll`: one thread waits for many descriptors.
 *
 * @module
 */
import { checked, ERRNO } from "./errno.ts";
import { type Address, addressOf, type Libc } from "./libc.ts";

/** What is waited for, and what happened (`EPOLL*` of sys/epoll.h). */
export const EPOLL = {
  in: 0x001,
  urgent: 0x002,
  out: 0x004,
  error: 0x008,
  hangUp: 0x010,
  peerHangUp: 0x2000,
  /** Of several threads that wait for one listener not all are woken. */
  exclusive: 0x1000_0000,
  edgeTriggered: 0x8000_0000,
} as const;

const EPOLL_CLOEXEC = 0o2000000;
const CONTROL = { add: 1, delete: 2, modify: 3 } as const;

// struct epoll_event is packed on x86_64 (12 bytes), elsewhere its 64-bit data is aligned (16 bytes).
const PACKED = Deno.build.arch === "x86_64";
const EVENT_WORDS = PACKED ? 3 : 4;
const DATA_WORD = PACKED ? 1 : 2;

/**
 * An epoll instance with room for the events of one wait. Each descriptor carries a 32-bit tag of the caller's choice.
 * Waiting and reading events allocate nothing.
 */
export class Epoll implements Disposable {
  readonly descriptor: number;
  readonly #libc: Libc;
  readonly #capacity: number;
  readonly #events: Uint32Array<ArrayBuffer>;
  readonly #eventsAddress: Address;
  readonly #change = new Uint32Array(EVENT_WORDS);
  readonly #changeAddress = addressOf(this.#change);

  /**
   * @param capacity events taken in one wait
   * @throws {SystemError} when no descriptor is left
   */
  constructor(libc: Libc, capacity: number) {
    this.#libc = libc;
    this.#capacity = capacity;
    this.#events = new Uint32Array(capacity * EVENT_WORDS);
    this.#eventsAddress = addressOf(this.#events);
    this.descriptor = checked("epoll_create1", libc.epollCreate(EPOLL_CLOEXEC));
  }

  /** @throws {SystemError} `SYSTEM_CALL_FAILED`: EEXIST when it is watched already, EBADF when it is closed */
  add(descriptor: number, interest: number, tag: number): void {
    this.#control(CONTROL.add, descriptor, interest, tag);
  }

  modify(descriptor: number, interest: number, tag: number): void {
    this.#control(CONTROL.modify, descriptor, interest, tag);
  }

  delete(descriptor: number): void {
    this.#control(CONTROL.delete, descriptor, 0, 0);
  }

  /**
   * Blocks this thread until something happens.
   *
   * @param timeoutMs -1 waits for ever
   * @returns how many events `tag` and `happened` can be asked for; 0 after the time-out or an interrupting signal
   */
  wait(timeoutMs: number): number {
    const count = this.#libc.epollWait(this.descriptor, this.#eventsAddress, this.#capacity, timeoutMs);
    return count === -ERRNO.EINTR ? 0 : checked("epoll_wait", count);
  }

  /** Tag of the event at `index` of the last wait. */
  tag(index: number): number {
    return this.#events[index * EVENT_WORDS + DATA_WORD] ?? 0;
  }

  /** `EPOLL` bits of the event at `index` of the last wait. */
  happened(index: number): number {
    return this.#events[index * EVENT_WORDS] ?? 0;
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.descriptor);
  }

  #control(operation: number, descriptor: number, interest: number, tag: number): void {
    this.#change[0] = interest;
    this.#change[DATA_WORD] = tag;
    checked("epoll_ctl", this.#libc.epollCtl(this.descriptor, operation, descriptor, this.#changeAddress));
  }
}
