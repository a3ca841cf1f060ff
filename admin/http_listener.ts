/**
 * HTTP over TCP or a Unix socket that slow clients cannot fill: connections are few, each carries one request and has
 * little time for it.
 *
 * `Deno.listen` accepts, node:http speaks. Measured with Deno 2.9.6: `Deno.serve` holds a silent client and one with half
 * a header for more than 70 s and has no limit of connections, so that a few hundred idle clients of the admin address
 * would take the descriptors that the balanced traffic needs; and a listener of node:net never accepts again once the
 * process ran out of descriptors, and says nothing.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Clock, Timer } from "../clock.ts";
import { LIMITS } from "../limits.ts";
import { ConnectionStream } from "./connection_stream.ts";
import { readRequest, type RequestHandler } from "./http_request.ts";

/** Where to listen. */
export type ListenPlace = { readonly host: string; readonly port: number } | { readonly path: string };

/** How long a client may take, milliseconds. */
export interface HttpWaits {
  /** From connect to the last byte of the request. */
  readonly requestMs: number;
  /** To take the answer, once it is there. */
  readonly answerMs: number;
  /** For requests under way when the listener closes. */
  readonly closeMs: number;
}

/** The waits of the admin API. */
export const ADMIN_WAITS: HttpWaits = {
  requestMs: LIMITS.adminRequestWaitMs,
  answerMs: LIMITS.adminAnswerTakeMs,
  closeMs: LIMITS.adminCloseMs,
};

/** How much clients may take of the process. */
interface HttpRoom {
  readonly connections: number;
  readonly bodyBytes: number;
}

/** Whoever can open the Unix socket may stop the process anyway. */
const PATH_ROOM: HttpRoom = { connections: LIMITS.controlConnections, bodyBytes: LIMITS.controlBodyBytes };
const PORT_ROOM: HttpRoom = { connections: LIMITS.adminConnections, bodyBytes: LIMITS.adminBodyBytes };

/** An open connection. */
interface Client {
  /** Its request is complete: it is not pushed out by newer ones. */
  isServed: boolean;
  /** Ends it when it takes too long. */
  deadline: Timer;
}

/** An open HTTP listener. */
export class HttpListener implements AsyncDisposable {
  readonly #listener: Deno.Listener;
  readonly #handler: RequestHandler;
  readonly #clock: Clock;
  readonly #waits: HttpWaits;
  readonly #room: HttpRoom;
  readonly #server: Server = createServer({ headersTimeout: 0, requestTimeout: 0 });
  /** Oldest first. */
  readonly #clients = new Map<ConnectionStream, Client>();
  readonly #allGone = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;

  private constructor(
    listener: Deno.Listener,
    handler: RequestHandler,
    clock: Clock,
    waits: HttpWaits,
    room: HttpRoom,
  ) {
    this.#listener = listener;
    this.#handler = handler;
    this.#clock = clock;
    this.#waits = waits;
    this.#room = room;
    this.#server.on("request", (incoming, outgoing) => void this.#serve(incoming, outgoing));
    this.#server.on("clientError", (_error, stream) => stream.destroy());
  }

  /** Listens; throws the system's error when it cannot. */
  static open(
    place: ListenPlace,
    handler: RequestHandler,
    clock: Clock,
    waits: HttpWaits = ADMIN_WAITS,
  ): HttpListener {
    const listener = "path" in place
      ? Deno.listen({ transport: "unix", path: place.path })
      : Deno.listen({ hostname: place.host, port: place.port });
    const opened = new HttpListener(listener, handler, clock, waits, "path" in place ? PATH_ROOM : PORT_ROOM);
    void opened.#acceptAll();
    return opened;
  }

  /** Port bound, or -1 on a Unix socket. */
  get port(): number {
    return "port" in this.#listener.addr ? this.#listener.addr.port : -1;
  }

  /** Stops listening and lets requests under way end, for at most `closeMs`. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#listener.close();
    for (const [stream, { isServed }] of this.#clients) if (!isServed) stream.destroy();
    const deadline = this.#clock.after(this.#waits.closeMs, () => {
      for (const stream of this.#clients.keys()) stream.destroy();
    });
    if (this.#clients.size > 0) await this.#allGone.promise;
    deadline.cancel();
  }

  async #acceptAll(): Promise<void> {
    for (;;) {
      try {
        this.#admit(new ConnectionStream(await this.#listener.accept()));
      } catch {
        if (this.#closing !== undefined) return;
        // Out of descriptors, accept fails at once again and again.
        await new Promise<void>((resolve) => this.#clock.after(LIMITS.acceptBackOffMs, resolve));
      }
    }
  }

  #admit(stream: ConnectionStream): void {
    if (this.#clients.size >= this.#room.connections) (this.#oldestWaiting() ?? stream).destroy();
    this.#clients.set(stream, { isServed: false, deadline: this.#deadline(stream, this.#waits.requestMs) });
    stream.once("close", () => {
      this.#clients.get(stream)?.deadline.cancel();
      this.#clients.delete(stream);
      if (this.#clients.size === 0 && this.#closing !== undefined) this.#allGone.resolve();
    });
    this.#server.emit("connection", stream);
  }

  #oldestWaiting(): ConnectionStream | undefined {
    for (const [stream, { isServed }] of this.#clients) if (!isServed && !stream.destroyed) return stream;
    return undefined;
  }

  #deadline(stream: ConnectionStream, waitMs: number): Timer {
    return this.#clock.after(waitMs, () => stream.destroy());
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    // `incoming.socket` is the stream that was handed to the server, whatever its type says.
    const stream: unknown = incoming.socket;
    const client = stream instanceof ConnectionStream ? this.#clients.get(stream) : undefined;
    if (!(stream instanceof ConnectionStream) || client === undefined) return;
    try {
      const request = await readRequest(incoming, this.#room.bodyBytes);
      client.isServed = true;
      client.deadline.cancel();
      const answer = request instanceof Request ? await this.#handler(request) : request;
      const body = new Uint8Array(await answer.arrayBuffer());
      if (stream.destroyed) return;
      client.deadline = this.#deadline(stream, this.#waits.answerMs);
      outgoing.setHeader("connection", "close");
      if (incoming.method !== "HEAD") outgoing.setHeader("content-length", body.byteLength);
      outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
      outgoing.end(body);
    } catch {
      // The client went away in the middle of its request or of the answer.
      stream.destroy();
    }
  }
}
