/**
 * The director's side of opening a stream through a tunnel socket.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import {
  ANSWER_BYTES,
  encodeRequest,
  foreignness,
  HELLO_BYTES,
  NONCE_BYTES,
  nonceOf,
  readAnswer,
  type TunnelAddresses,
} from "../../net/socket_tunnel.ts";
import type { SocketOwner, TcpSocket } from "./tcp_socket.ts";

/** What the opening tells; one of them, once. */
export interface OpeningOwner {
  /** The stream is open; what has come behind the answer goes there. */
  opened(): SocketOwner;
  /** @param isServer the peer is in order, and its server is not */
  refused(why: string, isServer: boolean): void;
}

/** Takes what the peer sends until the stream is open. */
export class TunnelOpening {
  readonly #socket: TcpSocket;
  readonly #key: Uint8Array;
  readonly #addresses: TunnelAddresses;
  readonly #owner: OpeningOwner;
  readonly #nonce = new Uint8Array(randomBytes(NONCE_BYTES));
  readonly #bytes = new Uint8Array(HELLO_BYTES);
  #length = 0;
  #peerNonce: Uint8Array | undefined;

  constructor(socket: TcpSocket, key: Uint8Array, addresses: TunnelAddresses, owner: OpeningOwner) {
    this.#socket = socket;
    this.#key = key;
    this.#addresses = addresses;
    this.#owner = owner;
  }

  /** @returns whether to read on */
  receive(chunk: Uint8Array): boolean {
    const wanted = this.#peerNonce === undefined ? HELLO_BYTES : ANSWER_BYTES;
    const part = chunk.subarray(0, wanted - this.#length);
    this.#bytes.set(part, this.#length);
    this.#length += part.length;
    if (this.#length < wanted) return true;
    this.#length = 0;
    const why = foreignness(this.#bytes);
    if (why !== "") {
      this.#owner.refused(why, false);
      return false;
    }
    const rest = chunk.subarray(part.length);
    if (this.#peerNonce !== undefined) return this.#answered(this.#peerNonce, rest);
    this.#peerNonce = nonceOf(this.#bytes);
    this.#socket.write(encodeRequest(this.#key, this.#peerNonce, this.#nonce, this.#addresses));
    return rest.length === 0 || this.receive(rest);
  }

  #answered(peerNonce: Uint8Array, rest: Uint8Array): boolean {
    const status = readAnswer(this.#key, peerNonce, this.#nonce, this.#bytes.subarray(0, ANSWER_BYTES));
    if (status !== "open") {
      this.#owner.refused(
        status === "server-refused"
          ? "the peer's server does not answer"
          : "the key of the peer is another one; both sides need the same key file",
        status === "server-refused",
      );
      return false;
    }
    const owner = this.#owner.opened();
    return rest.length === 0 || owner.receive(rest);
  }
}
