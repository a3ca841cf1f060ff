/**
 * The load of the UDP bench, in a process and a thread of its own: requests that wait for their answers, or datagrams one way.
 *
 * Run with a JSON `UdpLoad`; prints a JSON `Measurement`.
 */
import { IpAddress } from "../net/address.ts";
import { DatagramReceiver } from "../sys/datagram_receiver.ts";
import { DatagramSender } from "../sys/datagram_sender.ts";
import { EPOLL, Epoll } from "../sys/epoll.ts";
import { addressNumber, addressOf, Libc } from "../sys/libc.ts";
import { socketAddress } from "../sys/socket_address.ts";
import { LEVEL, SOCKET, SOCKET_OPTION } from "../sys/socket_numbers.ts";
import { Sockets } from "../sys/sockets.ts";
import type { Measurement } from "./figure.ts";

/** Datagrams of one system call. */
export const DATAGRAMS = 64;
/** Queues of all sockets, as far as net.core.rmem_max goes. */
export const SOCKET_BUFFER_BYTES = 4_194_304;
/** A request without an answer for so long is lost. */
const LOST_MS = 200;

/** What to send. */
export interface UdpLoad {
  readonly kind: "pairs" | "one-way";
  readonly port: number;
  /** Port of the real server that counts, asked directly. */
  readonly sinkPort: number;
  readonly clients: number;
  /** Requests of one client that wait for their answers at once. */
  readonly window: number;
  readonly bytes: number;
  readonly seconds: number;
}

class Load {
  readonly #wish: UdpLoad;
  readonly #libc = Libc.open();
  readonly #sockets = new Sockets(this.#libc);
  readonly #sender = new DatagramSender(this.#libc, DATAGRAMS);
  readonly #receiver = new DatagramReceiver(this.#libc, DATAGRAMS, false);
  readonly #payload: Uint8Array<ArrayBuffer>;
  readonly #payloadAddress: number;

  constructor(wish: UdpLoad) {
    this.#wish = wish;
    this.#payload = new Uint8Array(wish.bytes).fill(7);
    this.#payloadAddress = addressNumber(this.#payload);
  }

  #connect(port: number): number {
    const address = IpAddress.parse("127.0.0.1");
    const socket = this.#sockets.open(4, SOCKET.datagram);
    this.#sockets.setOption(socket, LEVEL.socket, SOCKET_OPTION.receiveBuffer, SOCKET_BUFFER_BYTES);
    const name = socketAddress({ address, port });
    this.#libc.connect(socket, addressOf(name), name.length);
    return socket;
  }

  #send(socket: number, count: number): void {
    this.#sender.clear();
    for (let i = 0; i < count; i++) {
      this.#sender.add(undefined, this.#payloadAddress, this.#payload.length, 0, false);
    }
    for (let sent = 0; sent < count;) sent += Math.max(1, this.#sender.send(socket, sent));
  }

  /** Each client always has `window` requests on their way; what is lost is an error, and sent again. */
  pairs(): Measurement {
    const { clients, window, seconds, port } = this.#wish;
    const epoll = new Epoll(this.#libc, clients);
    const sockets = Array.from({ length: clients }, () => this.#connect(port));
    for (const [client, socket] of sockets.entries()) epoll.add(socket, EPOLL.in, client);
    const waiting = new Array<number>(clients).fill(window);
    const heardMs = new Float64Array(clients).fill(performance.now());
    for (const socket of sockets) this.#send(socket, window);
    const startMs = performance.now();
    let [answers, lost] = [0, 0];
    for (let nowMs = startMs; nowMs < startMs + seconds * 1_000; nowMs = performance.now()) {
      const events = epoll.wait(LOST_MS);
      for (let event = 0; event < events; event++) {
        const client = epoll.tag(event);
        const socket = sockets[client] ?? -1;
        const count = Math.max(0, this.#receiver.receive(socket, 0, window));
        answers += count;
        heardMs[client] = nowMs;
        this.#send(socket, count);
      }
      for (let client = 0; client < clients; client++) {
        if (nowMs - (heardMs[client] ?? 0) < LOST_MS) continue;
        lost += waiting[client] ?? 0;
        heardMs[client] = nowMs;
        this.#send(sockets[client] ?? -1, window);
      }
    }
    const elapsed = (performance.now() - startMs) / 1_000;
    return { value: answers / elapsed, errors: lost, units: answers };
  }

  /** As fast as it goes; what arrived is counted by the real server. */
  oneWay(): Measurement {
    const { clients, seconds, port, sinkPort } = this.#wish;
    const sockets = Array.from({ length: clients }, () => this.#connect(port));
    const sink = this.#connect(sinkPort);
    const before = this.#arrived(sink);
    const startMs = performance.now();
    for (let i = 0; performance.now() < startMs + seconds * 1_000; i++) {
      this.#send(sockets[i % clients] ?? -1, DATAGRAMS);
    }
    const elapsed = (performance.now() - startMs) / 1_000;
    const arrived = this.#arrived(sink) - before;
    return { value: arrived / elapsed, errors: 0, units: arrived };
  }

  /** The sink's count, once it does not grow any more. */
  #arrived(sink: number): number {
    const epoll = new Epoll(this.#libc, 1);
    epoll.add(sink, EPOLL.in, 0);
    for (let last = -1;;) {
      this.#libc.send(sink, addressOf(this.#payload), 1, 0);
      if (epoll.wait(LOST_MS) === 0) continue;
      this.#receiver.receive(sink, 0, 1);
      const [count = 0] = new Float64Array(this.#receiver.bytes.buffer, 0, 1);
      if (count === last) return count;
      last = count;
      // What is on its way arrives within that time, or never.
      epoll.wait(LOST_MS / 10);
    }
  }
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

if (import.meta.main) {
  const wish: UdpLoad = JSON.parse(Deno.args[0] ?? "{}");
  const load = new Load(wish);
  print(JSON.stringify(wish.kind === "pairs" ? load.pairs() : load.oneWay()));
}
