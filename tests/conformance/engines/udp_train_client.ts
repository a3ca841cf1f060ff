/** A client that sends many datagrams in one system call, and equal ones as trains. Linux only. */
import { IpAddress } from "../../../net/address.ts";
import { DatagramReceiver } from "../../../sys/datagram_receiver.ts";
import { DatagramSender } from "../../../sys/datagram_sender.ts";
import { addressNumber, addressOf, Libc } from "../../../sys/libc.ts";
import { socketAddress } from "../../../sys/socket_address.ts";
import { SOCKET } from "../../../sys/socket_numbers.ts";
import { Sockets } from "../../../sys/sockets.ts";

const DATAGRAMS = 64;
const ANSWERS_MS = 5_000;

export class TrainClient implements Disposable {
  readonly #libc = Libc.open();
  readonly #sender = new DatagramSender(this.#libc, DATAGRAMS);
  readonly #receiver = new DatagramReceiver(this.#libc, DATAGRAMS, false);
  readonly #socket: number;

  constructor(to: { readonly hostname: string; readonly port: number }) {
    const address = IpAddress.parse(to.hostname);
    this.#socket = new Sockets(this.#libc).open(address.family, SOCKET.datagram);
    const name = socketAddress({ address, port: to.port });
    this.#libc.connect(this.#socket, addressOf(name), name.length);
  }

  /** Sends up to 64 datagrams at once. */
  send(datagrams: readonly Uint8Array<ArrayBuffer>[], asTrains: boolean): void {
    this.#sender.clear();
    for (const it of datagrams) this.#sender.add(undefined, addressNumber(it), it.length, 0, asTrains);
    for (let sent = 0; sent < this.#sender.count;) {
      const more = this.#sender.send(this.#socket, sent);
      if (more < 0) throw new Error(`sending failed with errno ${-more}`);
      sent += more;
    }
  }

  /** As many datagrams as it waits for, in their order. */
  async receive(count: number): Promise<Uint8Array[]> {
    const received: Uint8Array[] = [];
    const untilMs = performance.now() + ANSWERS_MS;
    while (received.length < count) {
      const slots = this.#receiver.receive(this.#socket, 0, DATAGRAMS);
      for (let slot = 0; slot < slots; slot++) {
        const start = this.#receiver.address(slot) - this.#receiver.address(0);
        received.push(this.#receiver.bytes.slice(start, start + this.#receiver.length(slot)));
      }
      if (performance.now() > untilMs) throw new Error(`${received.length} of ${count} datagrams came`);
      if (slots < 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return received;
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#socket);
    this.#libc[Symbol.dispose]();
  }
}
