/**
 * The other end of a hand-over: takes accepted sockets from a director on the same host and serves them from a server
 * here, so that answers never pass the director.
 *
 * @module
 */
import { SystemError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { EPOLL, Epoll } from "../sys/epoll.ts";
import type { Libc } from "../sys/libc.ts";
import { Sockets } from "../sys/sockets.ts";
import { UnixSockets } from "../sys/unix_sockets.ts";
import { HandedClient } from "./handed_client.ts";
import type { Happening, ReceiverHost } from "./receiver_host.ts";
import { SharedBuffer } from "./one_way.ts";

const EVENTS_AT_ONCE = 256;

/** Takes sockets until its thread is stopped. */
export class Receiver implements Disposable {
  readonly #path: string;
  readonly #listener: number;
  readonly #epoll: Epoll;
  readonly #watched = new Map<number, Happening>();
  readonly #clients = new Set<HandedClient>();
  readonly #host: ReceiverHost;
  #nextReportMs = 0;

  /**
   * Listens at `path`, in the place of a receiver that died there.
   *
   * @throws {SystemError} `ADDRESS_IN_USE`, `SYSTEM_CALL_FAILED`
   */
  constructor(libc: Libc, path: string, to: Endpoint) {
    const unixSockets = new UnixSockets(libc);
    this.#path = path;
    this.#epoll = new Epoll(libc, EVENTS_AT_ONCE);
    removeDead(unixSockets, path);
    this.#listener = unixSockets.listen(path, LIMITS.tcpBacklogConnections);
    // The director may run as another user of the same group; nobody else may hand anything over.
    Deno.chmodSync(path, 0o660);
    this.#host = {
      libc,
      sockets: new Sockets(libc),
      unixSockets,
      shared: new SharedBuffer(),
      to,
      watch: (descriptor, interest, happened) => this.#watch(descriptor, interest, happened),
    };
    this.#watch(this.#listener, EPOLL.in, () => this.#accept());
  }

  /** One turn: waits for events at most so long, and handles them. */
  turn(waitMs: number, nowMs: number): void {
    const count = this.#epoll.wait(waitMs);
    for (let i = 0; i < count; i++) this.#watched.get(this.#epoll.tag(i))?.(this.#epoll.happened(i));
    for (const it of this.#clients) if (it.isOver) this.#clients.delete(it);
    if (nowMs < this.#nextReportMs) return;
    this.#nextReportMs = nowMs + LIMITS.handOverReportMs;
    for (const it of this.#clients) it.report();
  }

  #accept(): void {
    const { unixSockets } = this.#host;
    for (;;) {
      const stream = unixSockets.accept(this.#listener);
      if (stream < 0) return;
      this.#clients.add(new HandedClient(this.#host, stream));
    }
  }

  #watch(descriptor: number, interest: number, happened: Happening): void {
    const isWatched = this.#watched.has(descriptor);
    if (interest === 0) {
      if (isWatched) this.#epoll.delete(descriptor);
      this.#watched.delete(descriptor);
      return;
    }
    if (isWatched) this.#epoll.modify(descriptor, interest, descriptor);
    else this.#epoll.add(descriptor, interest, descriptor);
    this.#watched.set(descriptor, happened);
  }

  [Symbol.dispose](): void {
    for (const it of this.#clients) it.end("reset");
    this.#host.unixSockets.close(this.#listener);
    this.#epoll[Symbol.dispose]();
    try {
      Deno.removeSync(this.#path);
    } catch {
      // Somebody else took it away.
    }
  }
}

/** A socket that nobody listens on any more. */
function removeDead(unixSockets: UnixSockets, path: string): void {
  const stat = Deno.statSync.bind(Deno);
  let isSocket: boolean | null;
  try {
    isSocket = stat(path).isSocket;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return;
  }
  const probe = isSocket === true ? unixSockets.connect(path) : 0;
  if (probe < 0) {
    Deno.removeSync(path);
    return;
  }
  if (isSocket === true) unixSockets.close(probe);
  throw new SystemError(
    "ADDRESS_IN_USE",
    isSocket === true
      ? `another receiver listens on ${path}; stop it or choose another path`
      : `${path} is there and is no socket; choose another path`,
    { path },
  );
}
