/**
 * A worker that does nothing but look at the clock: how long the machine and the runtime keep a JavaScript thread waiting.
 * Anything told to it makes it answer with the longest gaps so far, in milliseconds.
 */
/// <reference lib="deno.worker" />

const KEPT = 10_000;

/** Looks every millisecond. */
class Watch {
  readonly #gapsMs: number[] = [];
  #lastMs = performance.now();

  look(): void {
    const nowMs = performance.now();
    this.#gapsMs.push(nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (this.#gapsMs.length > 2 * KEPT) this.longest().splice(KEPT);
    setTimeout(() => this.look(), 1);
  }

  longest(): number[] {
    return this.#gapsMs.sort((a, b) => b - a);
  }
}

const watch = new Watch();
self.onmessage = () => self.postMessage(watch.longest().slice(0, KEPT));
watch.look();
