/**
 * Datagrams of one session on their way to its destination.
 *
 * @module
 */
import { DatagramSender } from "../../sys/datagram_sender.ts";
import type { Libc } from "../../sys/libc.ts";
import type { UdpSession } from "./udp_session.ts";

const MESSAGES = 128;

/** Told what could not be sent. */
export interface SendWitness {
  sendFailed(session: UdpSession, errno: number, datagrams: number): void;
}

/** One for each worker: a session's datagrams are sent before the next one's are added. */
export class UdpForwarding {
  readonly #sender: DatagramSender;
  #headBytes = 0;

  constructor(libc: Libc) {
    this.#sender = new DatagramSender(libc, MESSAGES);
  }

  /** Adds a datagram, or a train of them. @param hasHead whether each goes behind the session's PROXY header */
  add(
    session: UdpSession,
    address: number,
    bytes: number,
    trainBytes: number,
    hasHead: boolean,
    witness: SendWitness,
  ): void {
    if (!hasHead) {
      if (this.#sender.isFull) this.send(session, witness);
      this.#sender.add(undefined, address, bytes, trainBytes, session.joinsForth);
      return;
    }
    const head = session.head();
    this.#headBytes = head.bytes.length;
    const size = trainBytes === 0 ? bytes : trainBytes;
    let offset = 0;
    do {
      if (this.#sender.isFull) this.send(session, witness);
      const length = Math.min(size, bytes - offset);
      this.#sender.addBehind(head.address, head.bytes.length, address + offset, length);
      offset += size;
    } while (offset < bytes);
  }

  /** Sends what was added; a session that ends by it takes the rest along. */
  send(session: UdpSession, witness: SendWitness): void {
    const sender = this.#sender;
    for (let message = 0; message < sender.count && session.isOpen;) {
      const sent = sender.send(session.descriptor, message);
      if (sent < 0) {
        witness.sendFailed(session, -sent, sender.datagrams(message));
        message++;
        continue;
      }
      if (sender.wasTakenApart(message)) session.joinsForth = false;
      for (const end = message + sent; message < end; message++) {
        session.bytesIn += sender.bytes(message) - this.#headBytes;
      }
    }
    sender.clear();
    this.#headBytes = 0;
  }
}
