/**
 * A UDP virtual service in the portable engine: one socket towards the clients, one for each session towards its server.
 *
 * A datagram is a packet, so `Flow.packets` is 1 and packet counters are true, unlike those of TCP here. What the kernel
 * does and this cannot, or does otherwise:
 *
 * - A closed port of a server is not reported (`udp_socket.ts`); an unreachable host or network is.
 * - Replies leave from the address that the system picks. On a host with several addresses a service bound to the wildcard
 *   may answer from another one than was asked; bind the service to its address. For the same reason its PROXY header
 *   names the wildcard as the destination.
 * - One-packet mode: the kernel cannot attribute a server's reply, so the client sees the server's own address. Here each
 *   pair of client and destination has a socket for a while (`LIMITS.onePacketReplyMs`), and what comes back on
 *   it goes to that client. Datagrams are still scheduled one by one, and replies are not the director's business.
 * - With `sendProxy` every datagram carries a version 2 header. The specification leaves it open. Cloudflare Spectrum
 *   and frp send it with the first only; BIND, Unbound, PowerDNS and dnsdist want it in each, and a header that was
 *   lost or overtaken would leave the others without a sender.
 * - After a failed send the session ends. As in the kernel the entry stays, and the client's next datagram goes
 *   the same way; with `retries` above 0 the entry is scheduled anew.
 *
 * @module
 */
import { SystemError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import type { Binding, BindingOptions, EndReason, OpenBinding } from "../engine.ts";
import { bindError, errorCode } from "./bind_error.ts";
import { UDP_BUFFER_BYTES } from "./udp_buffers.ts";
import { checkUdpOptions } from "./udp_options.ts";
import { HEADER_ROOM_BYTES, UdpRelay } from "./udp_relay.ts";
import type { UdpHost } from "./udp_sessions.ts";
import { openUdpSocket } from "./udp_socket.ts";

/** A UDP service that is listening. */
export class UdpBinding implements OpenBinding {
  readonly binding: Binding;
  readonly bound: Endpoint;
  readonly #host: UdpHost;
  readonly #listener: Deno.DatagramConn;
  readonly #relay: UdpRelay;
  readonly #loop: Promise<void>;
  #isListening = true;

  /**
   * Starts to listen.
   *
   * @throws {SystemError} `ADDRESS_IN_USE`, `ADDRESS_NOT_LOCAL`, `PERMISSION_DENIED`, ...
   * @throws {ValueError} `OPTION_NOT_FOR_UDP`: options that UDP has no meaning for
   */
  static open(host: UdpHost, binding: Binding): UdpBinding {
    checkUdpOptions(binding.name, binding.options);
    try {
      const listener = openUdpSocket(`${binding.listen.address}`, binding.listen.port);
      return new UdpBinding(host, binding, listener);
    } catch (error) {
      throw error instanceof SystemError ? error : bindError(binding, error);
    }
  }

  private constructor(host: UdpHost, binding: Binding, listener: Deno.DatagramConn) {
    this.#host = host;
    this.binding = binding;
    this.#listener = listener;
    const port = "port" in listener.addr ? listener.addr.port : binding.listen.port;
    this.bound = { address: binding.listen.address, port };
    this.#relay = new UdpRelay(host, binding, this.bound, listener, () => this.#closeWhenIdle());
    this.#loop = this.#listen();
  }

  /** Whether it is closed and has nothing left to do. */
  get isOver(): boolean {
    return !this.#isListening;
  }

  /** Live sessions. */
  get liveConnections(): number {
    return this.#relay.sessions.size;
  }

  /** Holds for live sessions too, but for what their first datagram decided. */
  update(options: BindingOptions): void {
    checkUdpOptions(this.binding.name, options);
    this.#relay.update(options);
  }

  /**
   * New clients are dropped from now on. As both ways of the live sessions lead through the listening socket, it stays
   * until the last of them has ended.
   */
  async close(): Promise<void> {
    this.#relay.refusesNew = true;
    this.#closeWhenIdle();
    if (!this.#isListening) await this.#closed();
  }

  /** The destination left for good: its sessions end, cut or not, and their clients' next datagrams are scheduled anew. */
  destinationRemoved(destination: number, _cut: boolean): void {
    this.#relay.sessions.endAll("destination-removed", destination);
  }

  /** The director's entry came to its end. */
  entryExpired(entry: number): void {
    this.#relay.sessions.entryExpired(entry);
  }

  /** Ends all sessions. At once, whatever the spread: UDP has no reset, so no client notices and comes back. */
  resetAll(_spreadMs: number, reason: EndReason): Promise<void> {
    this.#relay.sessions.endAll(reason);
    return Promise.resolve();
  }

  /** Resolves when no session is live. */
  whenIdle(): Promise<void> {
    return this.#relay.sessions.whenIdle();
  }

  /** Closes everything; no socket and no timer is left when it resolves. */
  async stop(): Promise<void> {
    this.#relay.refusesNew = true;
    this.#relay.sessions.endAll("drained");
    this.#closeWhenIdle();
    await this.#closed();
  }

  /** A reply on its way keeps the socket, and so the port, a little longer. */
  async #closed(): Promise<void> {
    await Promise.all([this.#loop, this.#relay.sessions.settled()]);
  }

  async #listen(): Promise<void> {
    const buffer = new Uint8Array(HEADER_ROOM_BYTES + UDP_BUFFER_BYTES);
    const room = buffer.subarray(HEADER_ROOM_BYTES);
    while (this.#isListening) {
      try {
        const [datagram, from] = await this.#listener.receive(room);
        if (!this.#isListening || !("hostname" in from)) continue;
        const session = this.#relay.route(datagram, from);
        // Awaited: the next datagram overwrites this one, and a full send queue holds back the reading.
        if (session !== undefined) await this.#relay.forward(session, buffer, datagram);
      } catch (error) {
        if (this.#isListening) await this.#receiveFailed(error);
      }
    }
  }

  /** An error of the listening socket is about one datagram; should it last, the pause keeps the processor free. */
  async #receiveFailed(error: unknown): Promise<void> {
    this.#relay.sessions.trouble(`receiving on ${formatEndpoint(this.bound)} failed: ${errorCode(error)}`);
    await new Promise<void>((resolve) => this.#host.clock.after(LIMITS.acceptBackOffMs, resolve));
  }

  #closeWhenIdle(): void {
    if (!this.#relay.refusesNew || !this.#isListening || this.#relay.sessions.size > 0) return;
    this.#isListening = false;
    this.#listener.close();
  }
}
