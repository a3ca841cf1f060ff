/**
 * One handed connection: until a receiver has taken it, and then as far as the receiver tells of it.
 *
 * @module
 */
import type { Timer } from "../../clock.ts";
import { ACTION, type Verdict } from "../../director/verdict.ts";
import { LIMITS } from "../../limits.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { DIRECTION, Flow, PROTOCOL, TCP_FLAG } from "../../net/flow.ts";
import { greeting, type HandedEnd, ORDER, readReceiverLine, type ReceiverWord } from "../../net/hand_over.ts";
import { EPOLL } from "../../sys/epoll.ts";
import { ERRNO, errnoName } from "../../sys/errno.ts";
import type { BindingOptions, EndReason } from "../engine.ts";
import { ownShortage } from "../portable/tcp_failures.ts";
import { refusalReason } from "../refusals.ts";
import type { HandOverHost } from "./hand_over_host.ts";

/** What a connection begins with. */
export interface HandedStart {
  readonly service: number;
  readonly options: BindingOptions;
  /** Descriptor of the accepted socket. */
  readonly client: number;
  readonly peer: Endpoint;
  readonly local: Endpoint;
  /** Called once, when it is over. */
  readonly ended: (connection: HandedConnection) => void;
}

const REASONS: Readonly<Record<string, EndReason>> = {
  "connect-refused": "connect-refused",
  "connect-timeout": "connect-timeout",
};

/** From accept to the receiver's last word. */
export class HandedConnection {
  readonly #host: HandOverHost;
  readonly #start: HandedStart;
  readonly #flow: Flow;
  readonly #startMs: number;
  readonly #failed: number[] = [];
  /** The accepted socket, -1 once the receiver has it alone. */
  #client: number;
  /** The Unix stream to the receiver, -1 while there is none. */
  #stream = -1;
  #rest = "";
  #deadline: Timer | undefined;
  #entry = -1;
  #bytesIn = 0;
  #isOver = false;
  destination = -1;
  #destinationText = "";

  constructor(host: HandOverHost, start: HandedStart) {
    this.#host = host;
    this.#start = start;
    this.#client = start.client;
    this.#flow = Flow.between(PROTOCOL.tcp, start.peer, start.local);
    this.#flow.service = start.service;
    this.#flow.packets = 0;
    this.#startMs = host.clock.nowMs();
  }

  /** Asks the director, and offers the socket to what it chose. */
  start(): void {
    const verdict = this.#segment(DIRECTION.input, TCP_FLAG.syn);
    if (verdict.action !== ACTION.forward) return this.end(refusalReason(verdict.reason));
    this.#entry = verdict.entry;
    this.#host.entries.set(verdict.entry, this);
    this.#offer(verdict);
  }

  /** The director has forgotten this connection. */
  entryExpired(): void {
    this.#forgetEntry();
    this.end("idle-timeout");
  }

  /** Breaks it off: the client sees a reset, from here or from the receiver. */
  end(reason: EndReason): void {
    if (this.#isOver) return;
    if (this.#stream >= 0) this.#order(ORDER.reset);
    if (this.#client >= 0) this.#host.sockets.reset(this.#client);
    this.#client = -1;
    if (this.#entry >= 0) this.#segment(DIRECTION.input, TCP_FLAG.rst);
    this.#over(reason);
  }

  #segment(direction: typeof DIRECTION[keyof typeof DIRECTION], flags: number, bytes = 0): Verdict {
    const { traffic, clock } = this.#host;
    return traffic.segment(this.#flow, direction, flags, bytes, clock.nowMs());
  }

  #offer({ destination, destinationPort }: Verdict): void {
    const { traffic, unixSockets, clock } = this.#host;
    const { options, peer, local } = this.#start;
    const { host, family } = traffic.destinationAddress(destination);
    this.destination = destination;
    this.#destinationText = family === 6 ? `[${host}]:${destinationPort}` : `${host}:${destinationPort}`;
    const path = options.handOver?.get(this.#destinationText);
    const stream = path === undefined ? -ERRNO.ENOENT : unixSockets.connect(path);
    if (stream < 0) return this.#noStream(errnoName(-stream));
    this.#stream = stream;
    this.#rest = "";
    this.#host.watch(stream, EPOLL.in, () => this.#listen());
    const line = new TextEncoder().encode(greeting({ client: peer, virtual: local }));
    if (unixSockets.send(stream, line, this.#client) !== line.length) {
      return this.#offerFailed("connect-failed");
    }
    this.#deadline = clock.after(options.connectTimeoutMs, () => this.#offerFailed("connect-timeout"));
  }

  /** For want of something on this host, which is not the receiver's fault, or because nobody takes it. */
  #noStream(code: string): void {
    const shortage = ownShortage(code);
    if (shortage === undefined) {
      return this.#offerFailed(code === "ECONNREFUSED" ? "connect-refused" : "connect-failed");
    }
    this.#host.trouble(this.#start.service, `${code}: ${shortage}`);
    this.end("error");
  }

  /** Another destination, as often as the service allows; the socket is still ours. */
  #offerFailed(reason: EndReason): void {
    const { traffic, clock, events } = this.#host;
    this.#closeStream();
    events.connectFailed(this.destination, reason);
    this.#failed.push(this.destination);
    if (this.#failed.length <= this.#start.options.retries) {
      const verdict = traffic.reschedule(this.#flow, this.#failed, clock.nowMs());
      if (verdict.action === ACTION.forward) return this.#offer(verdict);
    }
    this.end(reason);
  }

  #listen(): void {
    const { unixSockets } = this.#host;
    while (!this.#isOver && this.#stream >= 0) {
      const { length, descriptor } = unixSockets.receive(this.#stream);
      if (descriptor >= 0) unixSockets.close(descriptor);
      if (length === -ERRNO.EAGAIN) return;
      if (length <= 0) return this.#streamEnded();
      this.#rest += unixSockets.text(length);
      if (this.#rest.length > LIMITS.handOverBytes) return this.#streamEnded();
      const lines = this.#rest.split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#heed(readReceiverLine(line));
    }
  }

  #heed(word: ReceiverWord | undefined): void {
    if (this.#isOver) return;
    const isOffered = this.#client >= 0;
    if (word === undefined) return this.#streamEnded();
    if (word.kind === "taken" && isOffered) return this.#taken();
    if (word.kind === "refused" && isOffered) {
      return this.#offerFailed(REASONS[word.reason] ?? "connect-failed");
    }
    if (word.kind === "received" && !isOffered) return this.#received(word.bytes);
    if (word.kind === "ended" && !isOffered) return this.#ended(word.how);
    this.#streamEnded();
  }

  /** From here on the director has no part in the connection but to know of it. */
  #taken(): void {
    const { events, sockets } = this.#host;
    this.#deadline?.cancel();
    sockets.close(this.#client);
    this.#client = -1;
    this.#order(ORDER.go);
    events.connectSucceeded(this.destination);
    this.#segment(DIRECTION.output, TCP_FLAG.syn | TCP_FLAG.ack);
    this.#segment(DIRECTION.input, TCP_FLAG.ack);
  }

  #received(bytes: number): void {
    const more = Math.max(0, bytes - this.#bytesIn);
    this.#bytesIn += more;
    this.#segment(DIRECTION.input, TCP_FLAG.ack, more);
  }

  #ended(how: HandedEnd): void {
    if (how === "done") {
      this.#segment(DIRECTION.input, TCP_FLAG.fin | TCP_FLAG.ack);
      this.#segment(DIRECTION.output, TCP_FLAG.fin | TCP_FLAG.ack);
      this.#segment(DIRECTION.input, TCP_FLAG.ack);
    } else this.#segment(how === "client-reset" ? DIRECTION.input : DIRECTION.output, TCP_FLAG.rst);
    this.#over(how);
  }

  /** The receiver died, or speaks another language. */
  #streamEnded(): void {
    if (this.#client >= 0) return this.#offerFailed("connect-failed");
    this.#segment(DIRECTION.output, TCP_FLAG.rst);
    this.#over("server-reset");
  }

  #over(reason: EndReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { events, clock } = this.#host;
    this.#closeStream();
    this.#forgetEntry();
    events.ended({
      service: this.#start.service,
      client: formatEndpoint(this.#start.peer),
      destination: this.#destinationText,
      reason,
      durationMs: clock.nowMs() - this.#startMs,
      bytesIn: this.#bytesIn,
      bytesOut: 0,
    });
    this.#start.ended(this);
  }

  #order(line: string): void {
    this.#host.unixSockets.send(this.#stream, new TextEncoder().encode(line));
  }

  #forgetEntry(): void {
    if (this.#host.entries.get(this.#entry) === this) this.#host.entries.delete(this.#entry);
    this.#entry = -1;
  }

  #closeStream(): void {
    this.#deadline?.cancel();
    if (this.#stream < 0) return;
    this.#host.unwatch(this.#stream);
    this.#host.unixSockets.close(this.#stream);
    this.#stream = -1;
  }
}
