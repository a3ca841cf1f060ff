/**
 * The check that a UDP service answers, or at least that its port is not closed.
 *
 * @module
 */
import type { Endpoint } from "../net/endpoint.ts";
import { type Check, type CheckDatagrams, CheckError, type CheckResult, type Dialer } from "./check.ts";
import { excerpt } from "./excerpt.ts";

/** What is sent, and what must come back. */
export interface UdpCheckOptions {
  readonly type: "udp";
  readonly send: Uint8Array;
  /**
   * Bytes that the answer must contain, or an expression that must be found in it, each byte read as one character
   * (`\xff`). Without it no answer is needed and only a closed port is a failure.
   */
  readonly expect?: Uint8Array | RegExp;
}

/** One datagram there and, when something is expected, one back. A lost datagram is a failed check: that is what `fall` is for. */
export class UdpCheck implements Check {
  readonly type = "udp";
  readonly #options: UdpCheckOptions;

  constructor(options: UdpCheckOptions) {
    this.#options = options;
  }

  async run(target: Endpoint, dialer: Dialer, signal: AbortSignal): Promise<CheckResult> {
    const { send, expect } = this.#options;
    using datagrams = await dialer.connectUdp(target, signal);
    await datagrams.send(send);
    if (expect === undefined) return await quietIsFine(datagrams);
    const answer = await datagrams.receive();
    if (contains(answer, expect)) return { up: true, detail: `answered ${excerpt(answer)}` };
    const wanted = expect instanceof RegExp ? `${expect}` : excerpt(expect);
    return {
      up: false,
      reason: "answer",
      detail: `answered ${excerpt(answer)}, which does not contain ${wanted}`,
    };
  }
}

async function quietIsFine(datagrams: CheckDatagrams): Promise<CheckResult> {
  try {
    const answer = await datagrams.receive();
    return { up: true, detail: `answered ${excerpt(answer)}` };
  } catch (error) {
    if (error instanceof CheckError && error.reason === "timeout") {
      const noted = datagrams.reportsClosedPorts
        ? "not reported closed"
        : "sent; a closed port would not be noticed without FFI on Linux";
      return { up: true, detail: noted };
    }
    throw error;
  }
}

function contains(answer: Uint8Array, expected: Uint8Array | RegExp): boolean {
  const text = latin1(answer);
  // search() looks from the start, whatever flags and lastIndex the expression has.
  return expected instanceof RegExp ? text.search(expected) >= 0 : text.includes(latin1(expected));
}

/** One character a byte, which TextDecoder's "latin1" (really windows-1252) does not give. A datagram has at most 64 KiB. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
