/**
 * Notices that the process has run out of file descriptors, whoever took them.
 *
 * A listener of Deno 2.9 that met with this has stopped accepting without a word (`descriptors.ts`). Whether it did
 * cannot be seen; that it may have, can.
 *
 * @module
 */
import type { Clock, Timer } from "../../clock.ts";
import { LIMITS } from "../../limits.ts";
import { errorCode } from "./bind_error.ts";

const SHORTAGE = new Set(["EMFILE", "ENFILE"]);

/** Whether one more descriptor can be had; true where that cannot be found out. */
export function isDescriptorLeft(): boolean {
  try {
    Deno.openSync("/dev/null").close();
    return true;
  } catch (error) {
    return !SHORTAGE.has(errorCode(error));
  }
}

/** Looks again and again, as long as it is started. A look costs 10 µs. */
export class DescriptorWatch {
  readonly #clock: Clock;
  readonly #onShortage: () => void;
  readonly #isLeft: () => boolean;
  #timer: Timer | undefined;

  constructor(clock: Clock, onShortage: () => void, isLeft: () => boolean = isDescriptorLeft) {
    this.#clock = clock;
    this.#onShortage = onShortage;
    this.#isLeft = isLeft;
  }

  start(): void {
    this.#timer ??= this.#clock.after(LIMITS.acceptBackOffMs, () => {
      this.#timer = undefined;
      this.look();
      this.start();
    });
  }

  /** Looks now, besides. */
  look(): void {
    if (!this.#isLeft()) this.#onShortage();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
