/**
 * One client's datagrams to one destination, and the way back.
 *
 * @module
 */
import { IpAddress } from "../../net/address.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { type Flow, NO_ENTRY } from "../../net/flow.ts";
import { encodeDatagram, readDatagram, TUNNEL_WAY, type TunnelAddresses } from "../../net/socket_tunnel.ts";
import { encodeProxyV2 } from "../../net/proxy_protocol.ts";

/** Where a session's datagrams go. */
export interface SessionTarget {
  /** Handle of the destination. */
  readonly destination: number;
  /** Its address as text. */
  readonly host: string;
  readonly family: 4 | 6;
  readonly port: number;
  /** Datagrams go wrapped to the peer of a tunnel, and come so. */
  readonly tunnel?: { readonly port: number; readonly key: Uint8Array };
}

/** What a session asks of its binding. */
export interface SessionOwner {
  /** A datagram from the session's destination; resolves when it was sent on. */
  replied(session: UdpSession, datagram: Uint8Array): Promise<void>;
  /** A datagram from somebody else. */
  foreignReply(session: UdpSession): void;
  /** The session's socket reports an error. */
  socketFailed(session: UdpSession, error: unknown): void;
}

/** A session owns a socket, so that the port of a reply names the client. */
export class UdpSession {
  /** Its place in the session table. */
  readonly key: string;
  readonly flow: Flow;
  /** Where replies go: the address as the listener reported it, so a dual-stack one gets its `::ffff:` back. */
  readonly client: Deno.NetAddr;
  readonly target: SessionTarget;
  readonly startMs: number;
  lastUsedMs: number;
  /** Handle of the director's entry, `NO_ENTRY` in one-packet mode. */
  entry: number = NO_ENTRY;
  /** Payload bytes from and to the client. */
  bytesIn = 0;
  bytesOut = 0;
  /** Whether the destination has answered. */
  answered = false;
  isOver = false;
  readonly #socket: Deno.DatagramConn;
  readonly #server: Deno.NetAddr;
  #proxyHeader: Uint8Array | undefined;

  constructor(
    key: string,
    flow: Flow,
    client: Deno.NetAddr,
    target: SessionTarget,
    socket: Deno.DatagramConn,
    nowMs: number,
  ) {
    this.key = key;
    this.flow = flow;
    this.client = client;
    this.target = target;
    this.#socket = socket;
    // The runtime's own spelling: replies are compared with it.
    this.#server = {
      transport: "udp",
      hostname: `${IpAddress.parse(target.host)}`,
      port: target.tunnel?.port ?? target.port,
    };
    this.startMs = nowMs;
    this.lastUsedMs = nowMs;
  }

  get clientText(): string {
    return formatEndpoint(this.#clientEndpoint());
  }

  get destinationText(): string {
    const { host, family, port } = this.target;
    return family === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  }

  /** The PROXY header in front of each of its datagrams. */
  proxyHeader(): Uint8Array {
    const { family, virtual, virtualPort } = this.flow;
    return this.#proxyHeader ??= encodeProxyV2(
      "udp",
      this.#clientEndpoint(),
      { address: new IpAddress(family, virtual), port: virtualPort },
    );
  }

  #clientEndpoint(): Endpoint {
    return { address: new IpAddress(this.flow.family, this.flow.client), port: this.flow.clientPort };
  }

  /** Sends to the destination; `datagram` must stay as it is until then. */
  send(datagram: Uint8Array): Promise<number> {
    const { tunnel } = this.target;
    if (tunnel === undefined) return this.#socket.send(datagram, this.#server);
    const wrapped = encodeDatagram(tunnel.key, TUNNEL_WAY.toServer, this.#addresses(), datagram);
    return this.#socket.send(wrapped, this.#server);
  }

  /** Passes replies on until the session is over; resolves when `buffer` is free again. */
  async relayReplies(buffer: Uint8Array, owner: SessionOwner): Promise<void> {
    while (!this.isOver) {
      try {
        const [datagram, from] = await this.#socket.receive(buffer);
        if (this.isOver) break;
        const reply = this.#isServer(from) ? this.#unwrapped(datagram) : undefined;
        if (reply !== undefined) await owner.replied(this, reply);
        else owner.foreignReply(this);
      } catch (error) {
        if (!this.isOver) owner.socketFailed(this, error);
        break;
      }
    }
  }

  /** What a reply says; undefined when the peer of the tunnel did not send it, or not for this client. */
  #unwrapped(datagram: Uint8Array): Uint8Array | undefined {
    const { tunnel } = this.target;
    if (tunnel === undefined) return datagram;
    const read = readDatagram(tunnel.key, TUNNEL_WAY.toClient, datagram);
    const own = this.#clientEndpoint();
    const isOwn = read !== undefined && read.addresses.client.port === own.port &&
      read.addresses.client.address.equals(own.address);
    return isOwn ? read.payload : undefined;
  }

  #addresses(): TunnelAddresses {
    const { family, virtual, virtualPort } = this.flow;
    return {
      client: this.#clientEndpoint(),
      virtual: { address: new IpAddress(family, virtual), port: virtualPort },
    };
  }

  #isServer(from: Deno.Addr): boolean {
    return "hostname" in from && from.port === this.#server.port && from.hostname === this.#server.hostname;
  }

  /** Closes the socket; called once, by the owner. */
  close(): void {
    this.isOver = true;
    this.#socket.close();
  }
}
