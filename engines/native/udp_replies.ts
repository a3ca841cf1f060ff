/**
 * Datagrams on their way back: taken from the sockets of sessions, sent through the listener to many clients at once.
 *
 * @module
 */
import { DatagramReceiver } from "../../sys/datagram_receiver.ts";
import { DatagramSender } from "../../sys/datagram_sender.ts";
import type { Libc } from "../../sys/libc.ts";
import type { Reactor, Unfinished } from "./reactor.ts";
import { datagramsIn } from "./udp_batch.ts";
import type { UdpSession } from "./udp_session.ts";

const SLOTS = 64;

/** Whose listener the replies leave through. */
export interface ReplySource {
  readonly listener: number;
  replyLost(session: UdpSession, bytes: number, datagrams: number): void;
}

/** One for each worker. What was received stays in its slot until it was sent, so nothing is copied. */
export class UdpReplies implements Unfinished {
  /** What the last {@linkcode receive} brought. */
  datagrams = 0;
  bytes = 0;
  readonly #reactor: Reactor;
  readonly #inbox: DatagramReceiver;
  readonly #sender: DatagramSender;
  /** By message. */
  readonly #recipients: UdpSession[] = [];
  #source: ReplySource | undefined;
  /** Slots that wait to be sent. */
  #used = 0;
  #isQueued = false;

  constructor(libc: Libc, reactor: Reactor) {
    this.#reactor = reactor;
    this.#inbox = new DatagramReceiver(libc, SLOTS, false);
    this.#sender = new DatagramSender(libc, SLOTS);
  }

  /** Takes what waits in a session's socket, as much as there is room for. @returns slots, or a negative errno */
  receive(session: UdpSession): number {
    if (this.#used === SLOTS) this.flush();
    const inbox = this.#inbox;
    const most = Math.min(session.expected, SLOTS - this.#used);
    const count = inbox.receive(session.descriptor, this.#used, most);
    if (count < 0) return count;
    // To look for one more than there is costs half a receive: so many are asked for as came last, or more after a full read.
    session.expected = count < most ? count : Math.min(SLOTS, session.expected * 2);
    this.datagrams = 0;
    this.bytes = 0;
    for (let slot = this.#used; slot < this.#used + count; slot++) {
      const bytes = inbox.length(slot);
      this.bytes += bytes;
      this.datagrams += datagramsIn(bytes, inbox.trainBytes(slot));
    }
    return count;
  }

  /** Lets what the last {@linkcode receive} brought go to the client, at the end of this turn. */
  queue(session: UdpSession, source: ReplySource, count: number): void {
    const inbox = this.#inbox;
    const first = this.#used;
    if (source !== this.#source) this.flush();
    this.#source = source;
    for (let slot = first; slot < first + count; slot++) {
      const message = this.#sender.add(
        session,
        inbox.address(slot),
        inbox.length(slot),
        inbox.trainBytes(slot),
        session.joinsBack,
      );
      this.#recipients[message] = session;
    }
    this.#used = first + count;
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#reactor.again(this);
  }

  goOn(): void {
    this.#isQueued = false;
    this.flush();
  }

  /** Sends what waits. */
  flush(): void {
    const sender = this.#sender;
    const source = this.#source;
    for (let message = 0; message < sender.count && source !== undefined;) {
      const sent = sender.send(source.listener, message);
      const session = this.#recipients[message];
      if (session !== undefined && sender.wasTakenApart(message)) session.joinsBack = false;
      if (sent < 0 && session !== undefined) {
        source.replyLost(session, sender.bytes(message), sender.datagrams(message));
      }
      message += Math.max(1, sent);
    }
    sender.clear();
    this.#recipients.length = 0;
    this.#used = 0;
    this.#source = undefined;
  }
}
