/**
 * A dialer whose streams are made of bytes written down beforehand.
 *
 * @module
 */
import { CheckError, type CheckStream, type Dialer } from "../../../healthcheck/check.ts";

/** What a check asked for. */
export interface Dialled {
  readonly how: "tcp" | "tls";
  readonly target: string;
  readonly serverName: string | undefined;
  readonly verify: boolean | undefined;
  readonly alpn: readonly string[];
}

/** Answers every connection with `pieces`, one a read, and then the end of the stream. */
export class MemoryDialer implements Dialer {
  readonly dialled: Dialled[] = [];
  written = "";
  bytesRead = 0;
  disposed = 0;
  readonly #pieces: readonly Uint8Array[];

  constructor(pieces: readonly (string | Uint8Array)[]) {
    this.#pieces = pieces.map((it) => typeof it === "string" ? new TextEncoder().encode(it) : it);
  }

  connectTcp(...[target]: Parameters<Dialer["connectTcp"]>): Promise<CheckStream> {
    const dialled = { how: "tcp", serverName: undefined, verify: undefined, alpn: [] } as const;
    this.dialled.push({ ...dialled, target: `${target.address} ${target.port}` });
    return Promise.resolve(this.#stream());
  }

  connectTls(...[target, options]: Parameters<Dialer["connectTls"]>): Promise<CheckStream> {
    const { serverName, verify, alpn = [] } = options;
    this.dialled.push({ how: "tls", target: `${target.address} ${target.port}`, serverName, verify, alpn });
    return Promise.resolve(this.#stream());
  }

  connectUdp(): never {
    throw new CheckError("defect", "not expected to send datagrams");
  }

  run(): never {
    throw new CheckError("defect", "not expected to run anything");
  }

  #stream(): CheckStream {
    const pieces = this.#pieces.filter((it) => it.length > 0);
    let rest = new Uint8Array(0);
    return {
      read: (into) => {
        if (rest.length === 0) rest = Uint8Array.from(pieces.shift() ?? []);
        if (rest.length === 0) return Promise.resolve(null);
        const count = Math.min(into.length, rest.length);
        into.set(rest.subarray(0, count));
        rest = rest.slice(count);
        this.bytesRead += count;
        return Promise.resolve(count);
      },
      write: (bytes) => {
        this.written += new TextDecoder().decode(bytes);
        return Promise.resolve();
      },
      [Symbol.dispose]: () => void this.disposed++,
    };
  }
}
