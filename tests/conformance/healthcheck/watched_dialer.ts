/**
 * A dialer that counts what a check reads.
 *
 * @module
 */
import type { CheckStream, Dialer } from "../../../healthcheck/check.ts";

/** Passes everything on to another dialer. */
export class WatchedDialer implements Dialer {
  /** Bytes that checks took out of streams. */
  bytesRead = 0;
  /** How often `connectTcp` and `connectTls` were called. */
  connects = 0;

  constructor(readonly inner: Dialer) {}

  async connectTcp(...args: Parameters<Dialer["connectTcp"]>): Promise<CheckStream> {
    this.connects++;
    return this.#watch(await this.inner.connectTcp(...args));
  }

  async connectTls(...args: Parameters<Dialer["connectTls"]>): Promise<CheckStream> {
    this.connects++;
    return this.#watch(await this.inner.connectTls(...args));
  }

  connectUdp(...args: Parameters<Dialer["connectUdp"]>): ReturnType<Dialer["connectUdp"]> {
    return this.inner.connectUdp(...args);
  }

  run(...args: Parameters<Dialer["run"]>): ReturnType<Dialer["run"]> {
    return this.inner.run(...args);
  }

  #watch(stream: CheckStream): CheckStream {
    return {
      read: async (into) => {
        const count = await stream.read(into);
        this.bytesRead += count ?? 0;
        return count;
      },
      write: (bytes) => stream.write(bytes),
      [Symbol.dispose]: () => stream[Symbol.dispose](),
    };
  }
}
