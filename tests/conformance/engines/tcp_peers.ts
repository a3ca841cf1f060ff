/** Clients and real servers that can do all that a TCP peer can do, resets included. */
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { within } from "./waits.ts";

/** Longest wait for what must come, milliseconds: on loopback it takes microseconds, where others are busy seconds. */
const PEER_MS = 30_000;

/** How a peer's incoming stream ended. */
export type StreamEnd = "fin" | "reset";

/** One end of a connection. It reads on its own until paused. */
export class Peer {
  readonly socket: Socket;
  /** How the other side ended its stream: whichever came first. */
  readonly ended: Promise<StreamEnd>;
  readonly closed: Promise<void>;
  /** A client's own address and port, as an engine writes them. */
  name = "";
  receivedBytes = 0;
  #text = "";
  #waiters: { length: number; resolve: () => void }[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.once("connect", () => this.name = nameOf(socket));
    const { promise, resolve } = Promise.withResolvers<StreamEnd>();
    this.ended = promise;
    this.closed = new Promise((done) => socket.on("close", () => done()));
    socket.on("end", () => resolve("fin"));
    socket.on("error", () => resolve("reset"));
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
  }

  #receive(chunk: Uint8Array): void {
    this.receivedBytes += chunk.length;
    if (this.#text.length < 65_536) this.#text += latin1(chunk);
    for (const it of this.#waiters) if (this.receivedBytes >= it.length) it.resolve();
  }

  /** The first bytes received, each as a character. */
  get text(): string {
    return this.#text;
  }

  /** Resolves when this many bytes have come, counted from the beginning. */
  received(length: number): Promise<void> {
    if (this.receivedBytes >= length) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ length, resolve });
    this.socket.once(
      "close",
      () => reject(new Error(`closed after ${this.receivedBytes} of ${length} bytes`)),
    );
    return within(`${length} bytes, of which ${this.receivedBytes} had come`, PEER_MS, promise);
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Sends without waiting until the system takes no more, and a little: both buffers on the way are full then. */
  fill(): Promise<void> {
    const chunk = new Uint8Array(65_536);
    return new Promise((resolve, reject) => {
      const more = () => {
        let isLate = false;
        const late = setTimeout(() => {
          isLate = true;
          resolve();
        }, 300);
        this.socket.write(chunk, () => {
          clearTimeout(late);
          if (isLate) return;
          if (this.socket.destroyed) reject(new Error("closed before the way was full"));
          else more();
        });
      };
      more();
    });
  }

  /** Ends its own stream; the other way stays open. */
  end(text = ""): void {
    this.socket.end(text, "latin1");
  }

  /** Breaks the connection off. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** A real server: each connection is handed out by `next()`, in order. */
export class PeerServer {
  readonly port: number;
  readonly #server: Server;
  readonly #waiting: Peer[] = [];
  readonly #takers: ((peer: Peer) => void)[] = [];
  readonly #all = new Set<Peer>();
  acceptedCount = 0;
  /** What every client is sent at once. */
  greeting = "";
  /** Takes the connections in place of `next()`. */
  onPeer: ((peer: Peer) => void) | undefined;

  static listen(hostname = "127.0.0.1", port = 0): Promise<PeerServer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: hostname, port, backlog: 1_024 }, () => resolve(new PeerServer(server)));
    });
  }

  private constructor(server: Server) {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    this.port = address.port;
    this.#server = server;
    server.on("connection", (socket) => this.#accept(new Peer(socket)));
  }

  #accept(peer: Peer): void {
    this.acceptedCount++;
    this.#all.add(peer);
    if (this.greeting !== "") peer.send(this.greeting);
    const taker = this.onPeer ?? this.#takers.shift();
    if (taker === undefined) this.#waiting.push(peer);
    else taker(peer);
  }

  next(): Promise<Peer> {
    const peer = this.#waiting.shift();
    if (peer !== undefined) return Promise.resolve(peer);
    const { promise, resolve } = Promise.withResolvers<Peer>();
    this.#takers.push(resolve);
    return within(`a connection to the real server on port ${this.port}`, PEER_MS, promise);
  }

  /** Stops listening and drops what is connected. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const peer of this.#all) peer.destroy();
    await closed;
  }
}

/** A connected client, from a local port of its choice or any; it may have been reset already. */
export function connectPeer(hostname: string, port: number, localPort?: number): Promise<Peer> {
  const from = localPort === undefined ? {} : { localPort };
  const socket = connect({ host: hostname, port, allowHalfOpen: true, noDelay: true, ...from });
  const peer = new Peer(socket);
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(peer));
    socket.once("close", () => resolve(peer));
  });
}

/** Bytes as characters of the same numbers. `TextDecoder` has no such encoding: its latin1 is windows-1252. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function nameOf({ localAddress = "", localPort }: Socket): string {
  return localAddress.includes(":") ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
}
