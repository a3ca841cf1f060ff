/**
 * An epoll that the main thread waits for without standing still.
 *
 * @module
 */
import { Epoll } from "./epoll.ts";
import { EventFd } from "./event_fd.ts";
import type { Libc } from "./libc.ts";
import { openWaiter, type Waiter } from "./libc_library.ts";

/** An epoll descriptor is itself readable when something happened; `poll` waits for it on another thread. */
const POLL_IN = 1;
const POLL_BYTES = 8;
const WAKE_TAG = 0xffff_ffff;

/**
 * Waits on a thread of the runtime (12 µs a turn) and hands the events out on this one. For things that happen once a
 * connection, not once a chunk.
 */
export class PatientEpoll implements Disposable {
  readonly epoll: Epoll;
  readonly #waiter: Waiter;
  readonly #wake: EventFd;
  readonly #poll = new Int32Array(POLL_BYTES / 4);
  #isStopped = false;

  /** @throws {SystemError} `FFI_UNAVAILABLE`, or when no descriptor is left */
  constructor(libc: Libc, capacity: number) {
    this.#waiter = openWaiter();
    this.epoll = new Epoll(libc, capacity);
    this.#wake = EventFd.create(libc);
    this.epoll.add(this.#wake.descriptor, POLL_IN, WAKE_TAG);
    this.#poll[0] = this.epoll.descriptor;
    new Int16Array(this.#poll.buffer)[2] = POLL_IN;
  }

  /** Calls `happened` for each event until it is stopped. Tags are the caller's; 2^32-1 is taken. */
  async run(happened: (tag: number, events: number) => void): Promise<void> {
    while (!this.#isStopped) {
      await this.#waiter.symbols.poll(Deno.UnsafePointer.of(this.#poll), 1n, -1);
      const count = this.epoll.wait(0);
      for (let i = 0; i < count && !this.#isStopped; i++) {
        if (this.epoll.tag(i) === WAKE_TAG) this.#wake.drain();
        else happened(this.epoll.tag(i), this.epoll.happened(i));
      }
    }
  }

  /** Lets {@linkcode run} end. */
  stop(): void {
    this.#isStopped = true;
    this.#wake.signal();
  }

  /** After {@linkcode run} has ended. */
  [Symbol.dispose](): void {
    this.#wake[Symbol.dispose]();
    this.epoll[Symbol.dispose]();
    this.#waiter.close();
  }
}
