/**
 * TCP through tunnel sockets: one for each connection, so that flow control, half-close and resets are the kernel's own.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import { SystemError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import {
  encodeAnswer,
  encodeHello,
  foreignness,
  NONCE_BYTES,
  readRequest,
  REQUEST_BYTES,
  type TunnelStatus,
} from "../net/socket_tunnel.ts";
import type { TunnelPeerOptions } from "./tunnel_peer_options.ts";

/** Where a nonce stands in a request whose key may be another one. */
const NONCE_AT = 12;

export class TunnelStreams {
  readonly port: number;
  readonly #server: Server;
  readonly #options: TunnelPeerOptions;
  readonly #sockets = new Set<Socket>();
  #opening = 0;

  /** @throws {SystemError} `LISTEN_FAILED` */
  static async open(options: TunnelPeerOptions): Promise<TunnelStreams> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const { address, port } = options.listen;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) =>
        reject(
          new SystemError(
            "LISTEN_FAILED",
            `${formatEndpoint(options.listen)} cannot be opened: ${error.message}`,
            {
              address: formatEndpoint(options.listen),
            },
            error,
          ),
        ));
      server.listen(port, String(address), resolve);
    });
    return new TunnelStreams(server, options);
  }

  private constructor(server: Server, options: TunnelPeerOptions) {
    const bound = server.address();
    this.port = bound !== null && typeof bound === "object" ? bound.port : 0;
    this.#server = server;
    this.#options = options;
    server.on("connection", (socket) => this.#greet(socket));
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const it of this.#sockets) it.resetAndDestroy();
    await closed;
  }

  /** Who does not prove within three seconds that it has the key goes. */
  #greet(socket: Socket): void {
    this.#keep(socket);
    if (this.#opening >= LIMITS.heldConnections) return void socket.resetAndDestroy();
    this.#opening++;
    const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
    const request = new Uint8Array(REQUEST_BYTES);
    let length = 0;
    const timer = this.#options.clock.after(LIMITS.proxyHeaderWaitMs, () => {
      this.#refuse(socket, "sent no request in time");
    });
    const done = () => {
      timer.cancel();
      this.#opening--;
      socket.off("close", done);
      socket.off("data", read);
      socket.off("end", ended);
    };
    const ended = () => this.#refuse(socket, "ended before its request was whole");
    const read = (chunk: Uint8Array) => {
      const part = chunk.subarray(0, REQUEST_BYTES - length);
      request.set(part, length);
      length += part.length;
      const why = length >= NONCE_AT ? foreignness(request) : "";
      if (why !== "") return this.#refuse(socket, why);
      if (length < REQUEST_BYTES) return;
      socket.pause();
      done();
      if (chunk.length > part.length) socket.unshift(chunk.subarray(part.length));
      this.#admit(socket, nonce, request);
    };
    socket.on("data", read);
    socket.once("end", ended);
    socket.once("close", done);
    socket.write(encodeHello(nonce));
  }

  #admit(socket: Socket, peerNonce: Uint8Array, request: Uint8Array): void {
    const { key, to } = this.#options;
    const nonce = request.slice(NONCE_AT, NONCE_AT + NONCE_BYTES);
    const answer = (status: TunnelStatus) => encodeAnswer(key, peerNonce, nonce, status);
    if (readRequest(key, peerNonce, request) === undefined) {
      socket.end(answer("wrong-key"));
      this.#tell(socket, "has another key");
      return;
    }
    const server = connect({ host: String(to.address), port: to.port, allowHalfOpen: true, noDelay: true });
    this.#keep(server);
    const failed = () => {
      socket.end(answer("server-refused"));
    };
    server.once("error", failed);
    server.once("connect", () => {
      server.off("error", failed);
      socket.write(answer("open"));
      socket.pipe(server);
      server.pipe(socket);
      // What breaks on one side breaks on the other; a plain end has been passed on by then.
      server.on("close", () => passOn(server, socket));
      socket.on("close", () => passOn(socket, server));
    });
  }

  #refuse(socket: Socket, why: string): void {
    this.#tell(socket, why);
    socket.resetAndDestroy();
  }

  #tell(socket: Socket, why: string): void {
    this.#options.refused(`refused ${socket.remoteAddress}:${socket.remotePort}: ${why}`);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

/** A socket that closed without having ended both ways was broken off: so is the other one. */
function passOn(closed: Socket, other: Socket): void {
  if (closed.readableEnded && closed.writableFinished) return;
  if (!other.destroyed) other.resetAndDestroy();
}
