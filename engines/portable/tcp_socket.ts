/**
 * TCP as the portable engine sees it: sockets that say what happens to them to one owner, and nothing else.
 *
 * Behind it stand the runtime's own handles (`handle_sockets.ts`) and node:net (`node_sockets.ts`).
 *
 * @module
 */
import type { Endpoint } from "../../net/endpoint.ts";
import type { Family } from "../../net/address.ts";

/** Hears of a socket, until the owner itself closes it: then only {@linkcode SocketOwner.closed} comes. */
export interface SocketOwner {
  /**
   * Takes bytes; their memory is the socket's again afterwards, unless {@linkcode SocketOwner.isHolding}.
   *
   * @returns whether to read on; if not, `readStart` does so later
   */
  receive(chunk: Uint8Array): boolean;
  /** Whether memory of received chunks is still in use, by a write to another socket. */
  readonly isHolding: boolean;
  /** The peer sends no more. */
  ended(): void;
  /** What was not taken whole is through. */
  flushed(): void;
  /** The connection broke off; the owner closes. @param code `ECONNRESET` and the like */
  failed(code: string): void;
  /** The descriptor is given back, perhaps in the middle of the owner's own `close` or `reset`. */
  closed(): void;
}

/** Owner of a socket that is being connected: it hears `connected` or `failed`. */
export interface Dialer extends SocketOwner {
  connected(): void;
}

/** A connection, or one under way. Nothing that is written waits for more (TCP_NODELAY). */
export interface TcpSocket {
  /** To be replaced at any time; an accepted socket needs one at once. */
  owner: SocketOwner;
  /** Sockets do not read by themselves, and stop when `receive` says so. */
  readStart(): void;
  /** @returns whether the kernel took all; if not, `flushed` comes, and the chunk's memory is in use until then */
  write(chunk: Uint8Array): boolean;
  /** Ends the own stream behind what was written: FIN. */
  end(): void;
  /** Lets go of the connection. What the kernel took is still delivered. */
  close(): void;
  /** Breaks the connection off: RST. */
  reset(): void;
  /** undefined: the kernel no longer knows, the connection has been reset. Costs a system call. */
  peer(): Endpoint | undefined;
  local(): Endpoint | undefined;
}

/** A socket that listens. */
export interface ListeningSocket {
  readonly port: number;
  /** What waits in the kernel's backlog is reset, accepted connections go on. */
  close(): void;
}

/** Where sockets come from. */
export interface TcpSockets {
  /** For status and log. */
  readonly name: "handles" | "node:net";
  /**
   * Rejects with what the runtime throws, or with an error that has a code.
   *
   * @param accept gives the socket an owner at once
   */
  listen(at: Endpoint, backlog: number, accept: (client: TcpSocket) => void): Promise<ListeningSocket>;
  /** Starts to connect; the dialer hears of nothing before this returns. */
  connect(host: string, port: number, family: Family, dialer: Dialer): TcpSocket;
}

/** Owner of a socket that has none yet. */
export const UNOWNED: SocketOwner = {
  isHolding: false,
  receive: () => false,
  ended() {},
  flushed() {},
  failed() {},
  closed() {},
};
