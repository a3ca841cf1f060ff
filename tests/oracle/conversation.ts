/**
 * A client and the real server behind the director, as far as their packets tell: what the director saw on the wire
 * when a recording says that a client did something.
 *
 * @module
 */
import { ACTION, type Action, type Verdict } from "../../director/verdict.ts";
import { DIRECTION, type Direction, type Flow, PROTOCOL, TCP_FLAG } from "../../net/flow.ts";

const { syn, fin, rst, psh, ack } = TCP_FLAG;
const { input, output } = DIRECTION;

/** Gives one segment to the director. */
export type Send = (flow: Flow, direction: Direction, flags: number) => Verdict;

/** What a client can do on an open connection. */
export type Exchange = "data" | "close" | "reset" | "halfclose" | "srvfin";

/** What the client saw, in the recordings' words. */
export type Result =
  | "ok"
  | "ECONNREFUSED"
  | "timeout"
  | "ECONNRESET"
  | "EPIPE"
  | "eof"
  | "no-such-conn";

type Step = readonly [direction: Direction, flags: number];

const OPEN: readonly Step[] = [
  [input, syn],
  [output, syn | ack],
  [input, ack],
  [output, psh | ack], // the server's greeting
  [input, ack],
];
/** The client never sees the answer to its SYN. */
const HALF_OPEN: readonly Step[] = [[input, syn], [output, syn | ack]];
const DATAGRAM: readonly Step[] = [[input, 0], [output, 0]];
const STEPS: Readonly<Record<Exchange, readonly Step[]>> = {
  data: [[input, psh | ack], [output, psh | ack], [input, ack]],
  close: [[input, fin | ack], [output, fin | ack], [input, ack]],
  reset: [[input, rst | ack]],
  halfclose: [[input, fin | ack], [output, ack]],
  // The client asks for it over the connection itself.
  srvfin: [[input, psh | ack], [output, fin | ack], [input, ack]],
};
/** Data for a server that has said its last: it is acknowledged, and the client reads the end. */
const UNANSWERED_DATA: readonly Step[] = [[input, psh | ack], [output, ack]];
/** Data that reaches the server after the client has closed: the answer finds no socket. */
const LATE_DATA: readonly Step[] = [[input, psh | ack], [output, psh | ack], [input, rst]];

/** One client socket. */
export class Conversation {
  readonly flow: Flow;
  readonly #send: Send;
  /** Sent by the client and never acknowledged: TCP repeats them, first things first. */
  readonly #unacknowledged: Exchange[] = [];
  #life: "unborn" | "open" | "closed" | "broken" = "unborn";
  #hasUnread = false;
  /** Who has sent FIN while the other side goes on. */
  #finished: "nobody" | "client" | "server" = "nobody";
  /** Handle of the destination that the last segment of the client went to, or -1. */
  destination = -1;
  /** Port at the destination. */
  destinationPort = 0;

  constructor(flow: Flow, send: Send) {
    this.flow = flow;
    this.#send = send;
  }

  /** Something the client sent was dropped without an answer. */
  get isStalled(): boolean {
    return this.#unacknowledged.length > 0;
  }

  /** Connects, or sends the first datagram. */
  open(): Result {
    const result = this.#run(this.flow.protocol === PROTOCOL.udp ? DATAGRAM : OPEN);
    if (result === "ok") this.#life = "open";
    return result;
  }

  /** Sends a SYN and ignores the answer; called again it is the repeated SYN. */
  halfOpen(): Result {
    return this.#run(HALF_OPEN);
  }

  /** Does something on the connection; what is dropped on the way waits for {@linkcode repeat}. */
  exchange(what: Exchange): Result {
    if (this.#life === "unborn") return "no-such-conn";
    if (this.#life === "broken") return what === "data" ? "EPIPE" : "ok";
    if (this.flow.protocol === PROTOCOL.udp) return what === "data" ? this.#run(DATAGRAM) : "ok";
    if (what === "reset") this.#unacknowledged.length = 0;
    else if (this.isStalled) {
      this.#unacknowledged.push(what);
      if (what === "close") this.#life = "closed";
      return what === "data" ? "timeout" : "ok";
    }
    if (what === "data" && this.#finished !== "nobody") return this.#sendLate();
    // A socket closed with an unread answer is reset, not finished.
    const result = this.#run(STEPS[what === "close" && this.#hasUnread ? "reset" : what]);
    if (result === "ok" && what === "halfclose") this.#finished = "client";
    if (result === "ok" && what === "srvfin") this.#finished = "server";
    if (what === "close" || what === "reset") this.#life = "closed";
    if (result === "timeout" && what !== "reset") this.#unacknowledged.push(what);
    if (what !== "data") return "ok";
    if (result === "ECONNRESET") this.#life = "broken";
    return result;
  }

  /** Nothing leaves a socket whose sending side is shut. */
  #sendLate(): Result {
    if (this.#finished === "client") return "EPIPE";
    const result = this.#run(UNANSWERED_DATA);
    return result === "ok" ? "eof" : result;
  }

  /** TCP sends again what was not acknowledged; true when that went through. The answer stays unread. */
  repeat(): boolean {
    for (let next = this.#unacknowledged[0]; next !== undefined; next = this.#unacknowledged[0]) {
      const isLate = next === "data" && this.#life === "closed";
      const result = this.#run(isLate ? LATE_DATA : STEPS[next]);
      if (result === "timeout") return false;
      if (isLate || result !== "ok") this.#unacknowledged.length = 0;
      else this.#unacknowledged.shift();
      if (next === "data") this.#hasUnread = true;
    }
    return true;
  }

  /** The client reads what came back. */
  read(): void {
    this.#hasUnread = false;
  }

  /** The first step decides; the others follow only when it came through. */
  #run([first, ...rest]: readonly Step[]): Result {
    if (first === undefined) return "ok";
    const verdict = this.#send(this.flow, ...first);
    const result = this.#resultOf(verdict.action);
    this.destination = verdict.destination;
    this.destinationPort = verdict.destinationPort;
    if (result === "ok") { for (const step of rest) this.#send(this.flow, ...step); }
    return result;
  }

  #resultOf(action: Action): Result {
    switch (action) {
      case ACTION.forward:
      case ACTION.bypass:
        return "ok";
      case ACTION.reject:
        return "ECONNREFUSED";
      case ACTION.drop:
        return "timeout";
      case ACTION.accept:
        // The director's own host answers what belongs to no service or no connection: the address is its own.
        return this.#life === "unborn" ? "ECONNREFUSED" : "ECONNRESET";
    }
  }
}
