/**
 * The way of clients' packets to one server, as checks use it.
 *
 * @module
 */

/** One conversation with the server, from a port of its own. */
export interface PathConversation extends Disposable {
  /** The port on this side. */
  readonly port: number;
  /** Sends a TCP segment or UDP datagram, header included; its checksum is filled in on the way. Nobody says whether it came. */
  send(segment: Uint8Array): void;
}

/** A server behind DR or TUN: packets for the virtual address go to it as those of clients do. */
export interface ServerPath {
  /** @param heard gets each segment that comes back; an empty one means that the server's host calls the port closed */
  open(protocol: "tcp" | "udp", heard: (segment: Uint8Array) => void): PathConversation;
}
