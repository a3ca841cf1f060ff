/**
 * UDP through a tunnel: each datagram wrapped and signed; answers go back through the director.
 *
 * @module
 */
import type { Timer } from "../clock.ts";
import { SystemError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { encodeDatagram, readDatagram, TUNNEL_WAY, type TunnelAddresses } from "../net/socket_tunnel.ts";
import type { TunnelPeerOptions } from "./tunnel_peer_options.ts";

/** A client's socket towards the server. */
interface Session {
  readonly socket: Deno.DatagramConn;
  readonly addresses: TunnelAddresses;
  readonly director: Deno.NetAddr;
  usedMs: number;
}

export class TunnelDatagrams {
  readonly #options: TunnelPeerOptions;
  readonly #listener: Deno.DatagramConn;
  /** In order of use, the least recently used first. */
  readonly #sessions = new Map<string, Session>();
  readonly #server: Deno.NetAddr;
  readonly #loops = new Set<Promise<void>>();
  #sweep: Timer | undefined;
  #isClosed = false;

  /** @throws {SystemError} `LISTEN_FAILED` */
  static open(options: TunnelPeerOptions): TunnelDatagrams {
    const { address, port } = options.listen;
    try {
      const listener = Deno.listenDatagram({ transport: "udp", hostname: String(address), port });
      return new TunnelDatagrams(listener, options);
    } catch (error) {
      const where = formatEndpoint(options.listen);
      const why = error instanceof Error ? error.message : String(error);
      throw new SystemError(
        "LISTEN_FAILED",
        `udp ${where} cannot be opened: ${why}`,
        { address: where },
        error,
      );
    }
  }

  private constructor(listener: Deno.DatagramConn, options: TunnelPeerOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#server = { transport: "udp", hostname: String(options.to.address), port: options.to.port };
    this.#track(this.#receive());
    this.#armSweep();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#sweep?.cancel();
    this.#listener.close();
    for (const it of this.#sessions.values()) it.socket.close();
    await Promise.all(this.#loops);
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(LIMITS.udpPayloadBytes);
    while (!this.#isClosed) {
      try {
        const [datagram, from] = await this.#listener.receive(buffer);
        if ("hostname" in from) await this.#pass(datagram, from);
      } catch {
        // Closed, or the answer of a network to an earlier datagram: UDP loses it.
      }
    }
  }

  async #pass(datagram: Uint8Array, from: Deno.NetAddr): Promise<void> {
    const read = readDatagram(this.#options.key, TUNNEL_WAY.toServer, datagram);
    if (read === undefined) {
      this.#options.refused(
        `refused a datagram of ${from.hostname}:${from.port}: it is foreign, or has another key`,
      );
      return;
    }
    const session = this.#session(read.addresses, from);
    await session.socket.send(read.payload, this.#server);
  }

  #session(addresses: TunnelAddresses, director: Deno.NetAddr): Session {
    const { client, virtual } = addresses;
    const key = `${director.hostname}:${director.port} ${formatEndpoint(client)} ${formatEndpoint(virtual)}`;
    const usedMs = this.#options.clock.nowMs();
    const known = this.#sessions.get(key);
    if (known !== undefined) {
      known.usedMs = usedMs;
      this.#sessions.delete(key);
      this.#sessions.set(key, known);
      return known;
    }
    if (this.#sessions.size >= LIMITS.tunnelSessions) this.#endOldest();
    const hostname = this.#options.to.address.family === 6 ? "::" : "0.0.0.0";
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    const session: Session = { socket, addresses, director, usedMs };
    this.#sessions.set(key, session);
    this.#track(this.#answer(key, session));
    return session;
  }

  async #answer(key: string, session: Session): Promise<void> {
    const buffer = new Uint8Array(LIMITS.udpPayloadBytes);
    while (this.#sessions.get(key) === session && !this.#isClosed) {
      try {
        const [payload, from] = await session.socket.receive(buffer);
        if (!("hostname" in from) || from.port !== this.#server.port) continue;
        const wrapped = encodeDatagram(this.#options.key, TUNNEL_WAY.toClient, session.addresses, payload);
        await this.#listener.send(wrapped, session.director);
      } catch {
        // The session's socket is closed, or a datagram was too large to be wrapped.
      }
    }
  }

  #endOldest(): void {
    for (const [key, session] of this.#sessions) {
      this.#sessions.delete(key);
      session.socket.close();
      return;
    }
  }

  #armSweep(): void {
    this.#sweep = this.#options.clock.after(LIMITS.tunnelIdleMs / 4, () => {
      const latestMs = this.#options.clock.nowMs() - LIMITS.tunnelIdleMs;
      for (const session of this.#sessions.values()) {
        if (session.usedMs > latestMs) break;
        this.#endOldest();
      }
      if (!this.#isClosed) this.#armSweep();
    });
  }

  #track(loop: Promise<void>): void {
    const kept = loop.finally(() => this.#loops.delete(kept));
    this.#loops.add(kept);
  }
}
