/**
 * One client whose socket was handed over: its conversation with the director, and the relay to the server here.
 *
 * @module
 */
import { LvsdError } from "../errors.ts";
import { type HandedEnd, ORDER, readGreeting, receiverLine, type ReceiverWord } from "../net/hand_over.ts";
import { EPOLL } from "../sys/epoll.ts";
import { ERRNO } from "../sys/errno.ts";
import { addressOf } from "../sys/libc.ts";
import { socketAddress } from "../sys/socket_address.ts";
import { SOCKET } from "../sys/socket_numbers.ts";
import { OneWay, type WayOutcome } from "./one_way.ts";
import type { ReceiverHost } from "./receiver_host.ts";

/** What is waited for. */
type Stage = "greeting" | "server" | "go" | "relay" | "over";

export class HandedClient {
  readonly #host: ReceiverHost;
  #stage: Stage = "greeting";
  #stream: number;
  #client = -1;
  #server = -1;
  #toServer: OneWay | undefined;
  #toClient: OneWay | undefined;
  #reported = 0;

  /** @param stream the accepted Unix stream */
  constructor(host: ReceiverHost, stream: number) {
    this.#host = host;
    this.#stream = stream;
    host.watch(stream, EPOLL.in, () => this.#listen());
  }

  get isOver(): boolean {
    return this.#stage === "over";
  }

  /** Tells the director how much the client sent, if that has grown. */
  report(): void {
    const bytes = this.#toServer?.bytes ?? 0;
    if (bytes === this.#reported || this.#stage !== "relay") return;
    this.#reported = bytes;
    this.#say({ kind: "received", bytes });
  }

  /** Ends it now; `reset` breaks off both sides. */
  end(how: HandedEnd | "reset"): void {
    if (this.#stage === "over") return;
    this.report();
    if (this.#stage === "relay" && how !== "reset") this.#say({ kind: "ended", how });
    // Before `go` the socket is the director's still: it is given back by closing this copy.
    const isOurs = this.#stage === "relay";
    this.#stage = "over";
    for (const descriptor of [this.#client, this.#server]) {
      if (descriptor < 0) continue;
      this.#host.watch(descriptor, 0, () => {});
      if (how === "done" || !isOurs) this.#host.sockets.close(descriptor);
      else this.#host.sockets.reset(descriptor);
    }
    this.#closeStream();
  }

  #listen(): void {
    const { unixSockets } = this.#host;
    while (this.#stream >= 0) {
      const { length, descriptor } = unixSockets.receive(this.#stream);
      if (length === -ERRNO.EAGAIN) return;
      if (length <= 0) {
        // The director is gone. What it gave away goes on without it.
        if (this.#stage === "relay") this.#closeStream();
        else this.end("reset");
        return;
      }
      const text = unixSockets.text(length);
      if (this.#stage === "greeting") this.#begin(text, descriptor);
      else if (descriptor >= 0) unixSockets.close(descriptor);
      if (text.includes(ORDER.reset)) return this.end("reset");
      if (text.includes(ORDER.go) && this.#stage === "go") this.#relay();
    }
  }

  #begin(line: string, client: number): void {
    this.#client = client;
    try {
      readGreeting(line);
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      return this.#refuse(error.code.toLowerCase());
    }
    if (client < 0) return this.#refuse("no-descriptor");
    const { to, sockets, libc } = this.#host;
    const server = sockets.open(to.address.family, SOCKET.stream);
    if (server < 0) return this.#refuse("no-room");
    this.#server = server;
    const name = socketAddress(to);
    const result = libc.connect(server, addressOf(name), name.length);
    if (result < 0 && result !== -ERRNO.EINPROGRESS) return this.#connected(-result);
    this.#stage = "server";
    this.#host.watch(server, EPOLL.out, () => this.#connected(sockets.takeError(server)));
  }

  #connected(error: number): void {
    if (error !== 0) return this.#refuse(error === ERRNO.ECONNREFUSED ? "connect-refused" : "connect-failed");
    this.#host.watch(this.#server, 0, () => {});
    this.#host.sockets.setNoDelay(this.#server);
    this.#stage = "go";
    this.#say({ kind: "taken" });
  }

  #refuse(reason: string): void {
    this.#say({ kind: "refused", reason });
    this.end("reset");
  }

  #relay(): void {
    const { libc, sockets, shared } = this.#host;
    this.#stage = "relay";
    sockets.setNoDelay(this.#client);
    this.#toServer = new OneWay(libc, sockets, shared, this.#client, this.#server);
    this.#toClient = new OneWay(libc, sockets, shared, this.#server, this.#client);
    this.#turn();
  }

  #turn(): void {
    const [toServer, toClient] = [this.#toServer, this.#toClient];
    if (toServer === undefined || toClient === undefined || this.#stage !== "relay") return;
    if (this.#broke(toServer.turn(), "client-reset", "server-reset")) return;
    if (this.#broke(toClient.turn(), "server-reset", "client-reset")) return;
    if (toServer.isDone && toClient.isDone) return this.end("done");
    const bits = (reads: boolean, writes: boolean) => (reads ? EPOLL.in : 0) | (writes ? EPOLL.out : 0);
    this.#host.watch(this.#client, bits(toServer.wantsRead, toClient.wantsWrite), () => this.#turn());
    this.#host.watch(this.#server, bits(toClient.wantsRead, toServer.wantsWrite), () => this.#turn());
  }

  #broke(outcome: WayOutcome, source: HandedEnd, target: HandedEnd): boolean {
    if (outcome === "waiting") return false;
    this.end(outcome === "source-broken" ? source : target);
    return true;
  }

  #say(word: ReceiverWord): void {
    if (this.#stream >= 0) {
      this.#host.unixSockets.send(this.#stream, new TextEncoder().encode(receiverLine(word)));
    }
  }

  #closeStream(): void {
    if (this.#stream < 0) return;
    this.#host.watch(this.#stream, 0, () => {});
    this.#host.unixSockets.close(this.#stream);
    this.#stream = -1;
  }
}
