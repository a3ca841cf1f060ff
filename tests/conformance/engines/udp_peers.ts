/** The two ends of the UDP conformance tests: a client that asks, and a real server that answers. */
import { quietPort } from "./quiet_port.ts";

/** Longest wait for a datagram that must come; on loopback it takes microseconds. */
const ANSWER_MS = 5_000;

/** What a real server received. */
export interface Received {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly from: Deno.NetAddr;
}

/** A UDP socket that keeps what it receives until it is asked for. */
export class UdpPeer implements AsyncDisposable {
  readonly socket: Deno.DatagramConn;
  readonly address: Deno.NetAddr;
  readonly #queue: Received[] = [];
  readonly #waiters: ((received: Received) => void)[] = [];
  readonly #take: (received: Received) => void | Promise<void>;
  readonly #loop: Promise<void>;
  #isOpen = true;

  /** @param take what to do with a datagram; without it datagrams wait for `receive` */
  constructor(hostname = "127.0.0.1", take?: (received: Received) => Promise<void>) {
    this.#take = take ?? ((received) => this.#keep(received));
    this.socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    this.address = this.socket.addr as Deno.NetAddr;
    this.#loop = this.#listen();
  }

  async #listen(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    while (this.#isOpen) {
      try {
        const [bytes, from] = await this.socket.receive(buffer);
        if (this.#isOpen) await this.#take({ bytes: bytes.slice(), from: from as Deno.NetAddr });
      } catch (error) {
        if (this.#isOpen) throw error;
      }
    }
  }

  #keep(received: Received): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) waiter(received);
    else this.#queue.push(received);
  }

  /** Datagrams that came and were not asked for. */
  get waiting(): number {
    return this.#queue.length;
  }

  async send(bytes: Uint8Array, to: { hostname: string; port: number }): Promise<void> {
    await this.socket.send(bytes, { transport: "udp", hostname: to.hostname, port: to.port });
  }

  /** The next datagram. */
  receive(): Promise<Received> {
    const received = this.#queue.shift();
    if (received !== undefined) return Promise.resolve(received);
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`no datagram came to ${this.address.port} in ${ANSWER_MS} ms`)),
        ANSWER_MS,
      );
      this.#waiters.push((it) => {
        clearTimeout(late);
        resolve(it);
      });
    });
  }

  /** Sends, and waits for what comes back. */
  async ask(bytes: Uint8Array, to: { hostname: string; port: number }): Promise<Uint8Array<ArrayBuffer>> {
    const answer = this.receive();
    await this.send(bytes, to);
    return (await answer).bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    this.socket.close();
    await this.#loop;
  }
}

/** Datagrams that a server remembers; a flood must not look like a leak of the engine's. */
const SEEN_MOST = 1_000;

/** A real server that sends back what it got, behind its name when it has one. */
export class EchoServer implements AsyncDisposable {
  /** The first datagrams that came. */
  readonly seen: Received[] = [];
  readonly #peer: UdpPeer;
  readonly #answer = new Uint8Array(65_536);
  readonly #nameBytes: number;

  constructor(name = "", hostname = "127.0.0.1") {
    this.#nameBytes = new TextEncoder().encodeInto(name, this.#answer).written;
    this.#peer = new UdpPeer(hostname, (received) => this.#echo(received));
  }

  get hostname(): string {
    return this.#peer.address.hostname;
  }

  get port(): number {
    return this.#peer.address.port;
  }

  async #echo(received: Received): Promise<void> {
    if (this.seen.length < SEEN_MOST) this.seen.push(received);
    this.#answer.set(received.bytes, this.#nameBytes);
    const length = this.#nameBytes + received.bytes.length;
    await this.#peer.send(this.#answer.subarray(0, length), received.from);
  }

  /** How many different clients it has seen, by their addresses. */
  get callers(): number {
    return new Set(this.seen.map(({ from }) => `${from.hostname} ${from.port}`)).size;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#peer[Symbol.asyncDispose]();
  }
}

/** A port of 127.0.0.1 that was free a moment ago and has nobody behind it. */
export function closedPort(): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  socket.close();
  return port;
}

/** A port of 127.0.0.1 that no test's socket is given once it is let go. */
export function quietUdpPort(): number {
  return quietPort((port) => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port }).close());
}

/** `length` bytes that differ from those of another seed. */
export function bytesOf(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed * 101) & 255);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
