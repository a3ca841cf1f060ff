/**
 * A wake-up call between threads: a kernel counter that a blocked `epoll_wait` notices.
 *
 * @module
 */
import { checked, ERRNO } from "./errno.ts";
import { addressOf, type Libc } from "./libc.ts";

const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;
/** The kernel reads and writes this counter as one 64-bit word, never in parts. */
const COUNTER_BYTES = 8;

/**
 * One end of an eventfd. The descriptor is a number of the process: the thread that made it owns it, others open the
 * same number with `EventFd.from` and only signal or drain.
 */
export class EventFd implements Disposable {
  readonly descriptor: number;
  readonly #libc: Libc;
  readonly #owned: boolean;
  readonly #counter = new BigUint64Array(1);
  readonly #address = addressOf(this.#counter);

  private constructor(libc: Libc, descriptor: number, owned: boolean) {
    this.#libc = libc;
    this.descriptor = descriptor;
    this.#owned = owned;
  }

  /** @throws {SystemError} when no descriptor is left */
  static create(libc: Libc): EventFd {
    return new EventFd(libc, checked("eventfd", libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), true);
  }

  /** The eventfd that another thread created, by its number. */
  static from(libc: Libc, descriptor: number): EventFd {
    return new EventFd(libc, descriptor, false);
  }

  /** Wakes the waiting thread; signals before it looks add up to one wake-up. */
  signal(): void {
    this.#counter[0] = 1n;
    const result = this.#libc.write(this.descriptor, this.#address, COUNTER_BYTES);
    // EAGAIN: the counter stands at its top of 2^64-2, so the thread is awake already.
    if (result !== -ERRNO.EAGAIN) checked("write to eventfd", result);
  }

  /** Sets the counter back to 0 and returns how often it was signalled since. */
  drain(): number {
    const result = this.#libc.read(this.descriptor, this.#address, COUNTER_BYTES);
    if (result === -ERRNO.EAGAIN) return 0;
    checked("read from eventfd", result);
    return Number(this.#counter[0]);
  }

  [Symbol.dispose](): void {
    if (this.#owned) this.#libc.close(this.descriptor);
  }
}
