/**
 * Troubles for the log, each service's not too often.
 *
 * @module
 */
import { LIMITS } from "../limits.ts";

/** Passes on at most one message a second of each service. */
export class Troubles {
  readonly #pass: (service: number, message: string) => void;
  readonly #lastMs = new Map<number, number>();

  constructor(pass: (service: number, message: string) => void) {
    this.#pass = pass;
  }

  tell(service: number, message: string): void {
    const nowMs = performance.now();
    if (nowMs < (this.#lastMs.get(service) ?? -Infinity) + LIMITS.troubleSpacingMs) return;
    this.#lastMs.set(service, nowMs);
    this.#pass(service, message);
  }
}
