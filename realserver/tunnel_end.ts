/**
 * A real server's end of the tunnel, for kernels without tunnel drivers: raw sockets in, a TUN device out.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { SystemError } from "../errors.ts";
import type { IpAddress } from "../net/address.ts";
import { workerModule } from "../sys/worker_module.ts";
import { TUNNEL_WORD, TUNNEL_WORDS, type TunnelStart } from "./tunnel_words.ts";

/** Packets taken apart so far, and those that were refused. */
export interface TunnelCounts {
  readonly packets: number;
  /** For an address that is not a virtual one of ours. */
  readonly foreign: number;
  readonly malformed: number;
}

/** Takes ipip, gre and gue packets apart until it is stopped. */
export class TunnelEnd {
  readonly #worker: Worker;
  readonly #words: Int32Array<SharedArrayBuffer>;

  private constructor(worker: Worker, words: Int32Array<SharedArrayBuffer>) {
    this.#worker = worker;
    this.#words = words;
  }

  /**
   * Starts; the device is there when it resolves.
   *
   * @param port UDP port of GUE, 0 for none
   * @throws {SystemError} `TUNNEL_FAILED`
   */
  static async start(virtualAddresses: readonly IpAddress[], port: number): Promise<TunnelEnd> {
    const words = new Int32Array(new SharedArrayBuffer(TUNNEL_WORDS * 4));
    const start: TunnelStart = { words, port, virtualAddresses: virtualAddresses.map(String) };
    const worker = new Worker(workerModule("tunnel_worker", import.meta.url), { workerData: start });
    const failed = new Promise<never>((_, reject) => {
      const fail = (why: string) =>
        reject(new SystemError("TUNNEL_FAILED", `the tunnel's end did not start: ${why}`, {}));
      worker.on("message", fail);
      worker.on("error", ({ message }: Error) => fail(message));
    });
    const waiting = Atomics.waitAsync(words, TUNNEL_WORD.ready, 0);
    if (waiting.async) await Promise.race([waiting.value, failed]);
    return new TunnelEnd(worker, words);
  }

  get counts(): TunnelCounts {
    const read = (word: number) => Atomics.load(this.#words, word);
    return {
      packets: read(TUNNEL_WORD.packets),
      foreign: read(TUNNEL_WORD.foreign),
      malformed: read(TUNNEL_WORD.malformed),
    };
  }

  /** Stops; the device is gone when it resolves. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#worker.on("exit", resolve));
    Atomics.store(this.#words, TUNNEL_WORD.stop, 1);
    await ended;
  }
}
