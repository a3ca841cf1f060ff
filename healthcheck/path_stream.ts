/**
 * TCP without a socket, as small as a check needs it: segments that go the way of clients' packets.
 *
 * A host's own TCP cannot be used: the address that answers is the virtual one, which the host must not have, and its route
 * would not lead through the director. One piece is under way at a time, what comes out of order is left to be sent again, and
 * the end is a reset, which leaves nothing behind on either side.
 *
 * @module
 */
import type { Clock, Timer } from "../clock.ts";
import { TCP_FLAG } from "../net/flow.ts";
import { get32, put16, put32 } from "../packet/bytes.ts";
import { TCP, TCP_BYTES } from "../packet/transport.ts";
import { CheckError, type CheckFailure, type CheckStream } from "./check.ts";
import type { PathConversation, ServerPath } from "./server_path.ts";

/** Without the option of a larger one, no segment carries more (RFC 9293 section 3.7.1): it fits through every tunnel. */
const SEGMENT_BYTES = 536;
/** Before something is sent again; a check is short, and its server is near. */
const RESEND_MS = 200;
const WINDOW_BYTES = 0xffff;
/** Where the header's window stands. */
const WINDOW_AT = 14;

/** What was sent and is not acknowledged. */
interface Outstanding {
  readonly flags: number;
  readonly payload: Uint8Array;
  readonly done: PromiseWithResolvers<void>;
}

/** What a stream needs. */
export interface PathStreamParts {
  readonly path: ServerPath;
  /** Of the service. */
  readonly virtualPort: number;
  readonly clock: Clock;
  /** First sequence number, any 32 bits. */
  readonly sequence: number;
}

/** `CheckStream` over a server's path. */
export class PathStream implements CheckStream {
  readonly #clock: Clock;
  readonly #virtualPort: number;
  readonly #conversation: PathConversation;
  #state: "opening" | "open" | "ended" | "failed" = "opening";
  #sequence: number;
  #next = 0;
  #outstanding: Outstanding | undefined;
  #timer: Timer | undefined;
  #inbox: Uint8Array[] = [];
  #heardBytes = 0;
  #failure: CheckError | undefined;
  #changed: PromiseWithResolvers<void> = Promise.withResolvers();

  private constructor({ path, virtualPort, clock, sequence }: PathStreamParts) {
    this.#clock = clock;
    this.#virtualPort = virtualPort;
    this.#sequence = sequence >>> 0;
    this.#conversation = path.open("tcp", (segment) => this.#hear(segment));
  }

  /** Opens a connection. @throws {CheckError} `refused`, and whatever `failWith` says meanwhile */
  static open(parts: PathStreamParts): { readonly stream: PathStream; readonly opened: Promise<void> } {
    const stream = new PathStream(parts);
    return { stream, opened: stream.#transmit(TCP_FLAG.syn, new Uint8Array(0)) };
  }

  /** Where it stands, for people. */
  get progress(): string {
    if (this.#state === "opening") return "no connection in time";
    return this.#heardBytes === 0
      ? "connected, no answer in time"
      : `answer not complete in time, ${this.#heardBytes} bytes so far`;
  }

  get isOpening(): boolean {
    return this.#state === "opening";
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      const [first] = this.#inbox;
      if (first !== undefined) {
        const count = Math.min(into.length, first.length);
        into.set(first.subarray(0, count));
        if (count === first.length) this.#inbox.shift();
        else this.#inbox[0] = first.subarray(count);
        return count;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#state === "ended") return null;
      await this.#changed.promise;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += SEGMENT_BYTES) {
      await this.#transmit(TCP_FLAG.ack | TCP_FLAG.psh, bytes.subarray(at, at + SEGMENT_BYTES));
    }
  }

  /** Breaks off; whoever waits gets this error. */
  failWith(error: CheckError): void {
    if (this.#state === "failed") return;
    this.#state = "failed";
    this.#failure = error;
    this.#timer?.cancel();
    this.#outstanding?.done.reject(error);
    this.#outstanding = undefined;
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    if (this.#state === "open" || this.#state === "ended") this.#send(TCP_FLAG.rst | TCP_FLAG.ack);
    this.#conversation[Symbol.dispose]();
  }

  #transmit(flags: number, payload: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const outstanding: Outstanding = { flags, payload, done: Promise.withResolvers() };
    this.#outstanding = outstanding;
    this.#sendAgain(outstanding);
    return outstanding.done.promise;
  }

  #sendAgain(outstanding: Outstanding): void {
    this.#send(outstanding.flags, outstanding.payload);
    this.#timer = this.#clock.after(RESEND_MS, () => this.#sendAgain(outstanding));
  }

  #send(flags: number, payload: Uint8Array = new Uint8Array(0)): void {
    const segment = new Uint8Array(TCP_BYTES + payload.length);
    put16(segment, TCP.sourcePort, this.#conversation.port);
    put16(segment, TCP.destinationPort, this.#virtualPort);
    put32(segment, TCP.sequence, this.#sequence);
    if ((flags & TCP_FLAG.ack) !== 0) put32(segment, TCP.acknowledgement, this.#next);
    segment[TCP.dataOffset] = (TCP_BYTES / 4) << 4;
    segment[TCP.flags] = flags;
    put16(segment, WINDOW_AT, this.#window());
    segment.set(payload, TCP_BYTES);
    this.#conversation.send(segment);
  }

  #window(): number {
    return Math.max(0, WINDOW_BYTES - this.#inbox.reduce((sum, it) => sum + it.length, 0));
  }

  #hear(segment: Uint8Array): void {
    if (segment.length < TCP_BYTES || this.#state === "failed") return;
    const flags = segment[TCP.flags] ?? 0;
    const sequence = get32(segment, TCP.sequence);
    const acknowledged = get32(segment, TCP.acknowledgement);
    if ((flags & TCP_FLAG.rst) !== 0) {
      // Only one that knows our numbers (RFC 9293 section 3.10.7).
      const isOurs = this.#state === "opening" ? acknowledged === this.#sentTo() : sequence === this.#next;
      if (isOurs) this.failWith(this.#resetError());
      return;
    }
    if (this.#state === "opening") {
      if ((flags & (TCP_FLAG.syn | TCP_FLAG.ack)) !== (TCP_FLAG.syn | TCP_FLAG.ack)) return;
      if (acknowledged !== this.#sentTo()) return;
      this.#next = (sequence + 1) >>> 0;
      this.#state = "open";
      this.#acknowledge();
      this.#send(TCP_FLAG.ack);
      return;
    }
    if (acknowledged === this.#sentTo()) this.#acknowledge();
    this.#take(sequence, flags, segment.subarray((segment[TCP.dataOffset] ?? 0) >>> 4 << 2));
  }

  /** What comes next is taken, and everything is acknowledged that asks for it. */
  #take(sequence: number, flags: number, payload: Uint8Array): void {
    const isFin = (flags & TCP_FLAG.fin) !== 0;
    if (payload.length === 0 && !isFin && (flags & TCP_FLAG.syn) === 0) return;
    // How much of it is known already; beyond 2^31 it is of the future.
    const known = (this.#next - sequence) >>> 0;
    if (this.#state === "open" && known <= payload.length) {
      const fresh = payload.slice(known);
      if (fresh.length > 0 && fresh.length <= this.#window()) {
        this.#inbox.push(fresh);
        this.#heardBytes += fresh.length;
        this.#next = (this.#next + fresh.length) >>> 0;
      }
      if (isFin && this.#next === ((sequence + payload.length) >>> 0)) {
        this.#next = (this.#next + 1) >>> 0;
        this.#state = "ended";
      }
      this.#wake();
    }
    this.#send(TCP_FLAG.ack);
  }

  /** The number behind what is under way. */
  #sentTo(): number {
    const { flags = 0, payload } = this.#outstanding ?? {};
    return (this.#sequence + (payload?.length ?? 0) + ((flags & TCP_FLAG.syn) === 0 ? 0 : 1)) >>> 0;
  }

  #acknowledge(): void {
    this.#timer?.cancel();
    this.#sequence = this.#sentTo();
    this.#outstanding?.done.resolve();
    this.#outstanding = undefined;
  }

  #resetError(): CheckError {
    const [reason, detail]: [CheckFailure, string] = this.#state === "opening"
      ? ["refused", "the path is in order, and the server refuses"]
      : ["reset", "the server reset the connection"];
    return new CheckError(reason, detail);
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
