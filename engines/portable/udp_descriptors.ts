/**
 * The part of the process's file descriptors that UDP sessions may have.
 *
 * Anybody can make a UDP session with one datagram from a made-up address: such a flood must not take the descriptors
 * that TCP connections, health checks and admin need.
 *
 * @module
 */
import { LIMITS } from "../../limits.ts";
import type { Descriptors } from "./descriptors.ts";

/** UDP's own account, kept within the one of all; shared by all UDP bindings of an engine. */
export class UdpDescriptors {
  readonly #all: Descriptors;
  #taken = 0;

  constructor(all: Descriptors) {
    this.#all = all;
  }

  /** Whether one more session may open its socket. */
  get hasRoom(): boolean {
    const most = this.#all.room * LIMITS.udpDescriptorsPerMille / 1_000;
    return this.#taken + 1 <= most && this.#all.hasRoomFor(1);
  }

  take(): void {
    this.#taken++;
    this.#all.take(1);
  }

  give(): void {
    this.#taken--;
    this.#all.give(1);
  }

  /** None was left although there should have been room. */
  ranOut(): void {
    this.#all.ranOut();
  }
}
