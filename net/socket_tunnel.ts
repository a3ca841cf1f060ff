/**
 * What goes through a tunnel socket: the opening of a stream, and datagrams. The one conversation of TUN by sockets;
 * docs/tunnel.md describes it.
 *
 * A stream is opened by a challenge: the peer sends a nonce, the director answers with one of its own, the original addresses
 * and an HMAC-SHA256 over all of it, and the peer proves by another one that it has the key too. Then the bytes flow as they
 * are. A datagram carries addresses and an HMAC each time.
 *
 * @module
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { IpAddress } from "./address.ts";
import type { Endpoint } from "./endpoint.ts";

/** Version of the conversation. */
export const TUNNEL_VERSION = 1;
export const NONCE_BYTES = 32;
const MAC_BYTES = 32;
const MAGIC = new TextEncoder().encode("LVSD-TUN");
const HEAD_BYTES = 12;
const VERSION_AT = 8;
const CODE_AT = 9;
const ADDRESSES_BYTES = 37;

export const HELLO_BYTES = HEAD_BYTES + NONCE_BYTES;
export const REQUEST_BYTES = HEAD_BYTES + NONCE_BYTES + ADDRESSES_BYTES + MAC_BYTES;
export const ANSWER_BYTES = HEAD_BYTES + MAC_BYTES;
/** In front of a datagram's payload. */
export const DATAGRAM_BYTES = HEAD_BYTES + ADDRESSES_BYTES + MAC_BYTES;

/** What the peer says of a stream. */
export const TUNNEL_STATUS = { open: 0, "wrong-key": 1, "server-refused": 2 } as const;
export type TunnelStatus = keyof typeof TUNNEL_STATUS;

/** Which way a datagram goes. */
export const TUNNEL_WAY = { toServer: 0, toClient: 1 } as const;
export type TunnelWay = typeof TUNNEL_WAY[keyof typeof TUNNEL_WAY];

/** The original addresses. */
export interface TunnelAddresses {
  readonly client: Endpoint;
  readonly virtual: Endpoint;
}

/** The peer's first words. */
export function encodeHello(nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  return join(head(0), nonce);
}

/** Why these bytes do not begin a conversation of ours, `""` when they do. */
export function foreignness(bytes: Uint8Array): string {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) return "the other side speaks no tunnel of lvsd";
  const version = bytes[VERSION_AT] ?? 0;
  if (version === TUNNEL_VERSION) return "";
  return `the other side speaks version ${version} of the tunnel, and ${TUNNEL_VERSION} is wanted`;
}

/** The nonce of a hello that is not foreign. */
export function nonceOf(hello: Uint8Array): Uint8Array {
  return hello.slice(HEAD_BYTES, HELLO_BYTES);
}

/** The director's answer to a hello. */
export function encodeRequest(
  key: Uint8Array,
  peerNonce: Uint8Array,
  nonce: Uint8Array,
  addresses: TunnelAddresses,
): Uint8Array<ArrayBuffer> {
  const front = join(head(0), nonce, encodeAddresses(addresses));
  return join(front, mac(key, "request", peerNonce, front));
}

/** Reads a request that is not foreign; undefined when its key is another one. */
export function readRequest(
  key: Uint8Array,
  peerNonce: Uint8Array,
  request: Uint8Array,
): { readonly nonce: Uint8Array; readonly addresses: TunnelAddresses } | undefined {
  const front = request.subarray(0, REQUEST_BYTES - MAC_BYTES);
  const given = request.subarray(REQUEST_BYTES - MAC_BYTES, REQUEST_BYTES);
  if (!isEqual(given, mac(key, "request", peerNonce, front))) return undefined;
  return {
    nonce: request.slice(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES),
    addresses: readAddresses(request, HEAD_BYTES + NONCE_BYTES),
  };
}

/** The peer's last words before the stream's own bytes. */
export function encodeAnswer(
  key: Uint8Array,
  peerNonce: Uint8Array,
  nonce: Uint8Array,
  status: TunnelStatus,
): Uint8Array<ArrayBuffer> {
  const front = head(TUNNEL_STATUS[status]);
  return join(front, mac(key, "answer", peerNonce, nonce, front));
}

/** Reads an answer; undefined when the peer does not have the key. */
export function readAnswer(
  key: Uint8Array,
  peerNonce: Uint8Array,
  nonce: Uint8Array,
  answer: Uint8Array,
): TunnelStatus | undefined {
  const front = answer.subarray(0, HEAD_BYTES);
  if (!isEqual(answer.subarray(HEAD_BYTES, ANSWER_BYTES), mac(key, "answer", peerNonce, nonce, front))) {
    return undefined;
  }
  const names = Object.keys(TUNNEL_STATUS) as TunnelStatus[];
  return names.find((name) => TUNNEL_STATUS[name] === front[CODE_AT]) ?? "server-refused";
}

/**
 * Wraps a datagram.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { IpAddress } from "./address.ts";
 *
 * const key = new TextEncoder().encode("a key of sixteen bytes or more");
 * const client = { address: IpAddress.parse("192.0.2.7"), port: 40000 };
 * const virtual = { address: IpAddress.parse("192.0.2.1"), port: 53 };
 * const wrapped = encodeDatagram(key, TUNNEL_WAY.toServer, { client, virtual }, Uint8Array.of(1, 2, 3));
 * assert.deepEqual(readDatagram(key, TUNNEL_WAY.toServer, wrapped)?.payload, Uint8Array.of(1, 2, 3));
 * assert.equal(readDatagram(key, TUNNEL_WAY.toClient, wrapped), undefined);
 * ```
 */
export function encodeDatagram(
  key: Uint8Array,
  way: TunnelWay,
  addresses: TunnelAddresses,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const front = join(head(way), encodeAddresses(addresses));
  return join(front, mac(key, "datagram", front, payload), payload);
}

/** Unwraps one; undefined for anything foreign, of another key, or of the other way. */
export function readDatagram(
  key: Uint8Array,
  way: TunnelWay,
  datagram: Uint8Array,
): { readonly addresses: TunnelAddresses; readonly payload: Uint8Array } | undefined {
  if (datagram.length < DATAGRAM_BYTES || foreignness(datagram) !== "" || datagram[CODE_AT] !== way) {
    return undefined;
  }
  const front = datagram.subarray(0, HEAD_BYTES + ADDRESSES_BYTES);
  const payload = datagram.subarray(DATAGRAM_BYTES);
  const given = datagram.subarray(HEAD_BYTES + ADDRESSES_BYTES, DATAGRAM_BYTES);
  if (!isEqual(given, mac(key, "datagram", front, payload))) return undefined;
  return { addresses: readAddresses(datagram, HEAD_BYTES), payload };
}

function head(code: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEAD_BYTES);
  bytes.set(MAGIC);
  bytes[VERSION_AT] = TUNNEL_VERSION;
  bytes[CODE_AT] = code;
  return bytes;
}

/** Family, then address and port of the client and of the virtual service. */
function encodeAddresses({ client, virtual }: TunnelAddresses): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ADDRESSES_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, client.address.family);
  [client, virtual].forEach(({ address, port }, i) => {
    address.words.forEach((word, at) => view.setUint32(1 + i * 18 + at * 4, word));
    view.setUint16(1 + i * 18 + 16, port);
  });
  return bytes;
}

function readAddresses(bytes: Uint8Array, at: number): TunnelAddresses {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, ADDRESSES_BYTES);
  const family = view.getUint8(0) === 6 ? 6 : 4;
  const endpoint = (from: number): Endpoint => ({
    address: new IpAddress(family, Uint32Array.from([0, 4, 8, 12], (it) => view.getUint32(from + it))),
    port: view.getUint16(from + 16),
  });
  return { client: endpoint(1), virtual: endpoint(19) };
}

/** A word for each use, so that no message can stand in for another. */
function mac(key: Uint8Array, use: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const hmac = createHmac("sha256", key).update(`lvsd tunnel ${TUNNEL_VERSION} ${use}\n`);
  for (const part of parts) hmac.update(part);
  return new Uint8Array(hmac.digest());
}

function isEqual(given: Uint8Array, wanted: Uint8Array): boolean {
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, it) => sum + it.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
