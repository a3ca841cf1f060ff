/**
 * The PROXY protocol's headers, versions 1 and 2, as written to a real server.
 *
 * Source: haproxy's doc/proxy-protocol.txt (2020/03/05). `net/proxy_decoder.ts` reads them.
 *
 * @module
 */
import { IpAddress } from "./address.ts";
import type { Endpoint } from "./endpoint.ts";

/** What a header says about the proxied connection. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** The sender's own connection (a health check), not relayed for anybody: the real addresses count. */
  readonly local: boolean;
  /** `unknown`: not TCP or UDP over IP (or `local`); the header then has no addresses and the real ones count. */
  readonly transport: "tcp" | "udp" | "unknown";
  /** The client. */
  readonly source?: Endpoint;
  /** What the client connected to. */
  readonly destination?: Endpoint;
  /** Length of the header itself. */
  readonly consumedBytes: number;
}

/** First bytes of version 2: not text in any protocol, so that a server without PROXY support fails early. */
export const PROXY_V2_SIGNATURE: readonly number[] = Array.from(
  "\r\n\r\n\0\r\nQUIT\n",
  (it) => it.charCodeAt(0),
);

/** Signature, version and command, family and transport, length. */
export const PROXY_V2_FIXED_BYTES = 16;

/** Version 2, 13th byte: version in the high half, command in the low one. */
export const PROXY_V2_COMMAND = { local: 0x20, proxy: 0x21 } as const;

/** Version 2, 14th byte, high half. */
export const PROXY_V2_FAMILY = { unspecified: 0, ipv4: 1, ipv6: 2, unix: 3 } as const;

/** Version 2, 14th byte, low half. */
export const PROXY_V2_TRANSPORT = { unspecified: 0, stream: 1, datagram: 2 } as const;

/**
 * A version 1 line, TCP only. When one side is IPv6 and the other IPv4, the latter is written IPv4-mapped.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { IpAddress } from "./address.ts";
 *
 * const client = { address: IpAddress.parse("192.0.2.7"), port: 56324 };
 * const virtual = { address: IpAddress.parse("192.0.2.1"), port: 443 };
 * const line = new TextDecoder().decode(encodeProxyV1(client, virtual));
 * assert.equal(line, "PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\n");
 * ```
 */
export function encodeProxyV1(source: Endpoint, destination: Endpoint): Uint8Array<ArrayBuffer> {
  const [from, to] = sameFamily(source.address, destination.address);
  return new TextEncoder().encode(
    `PROXY TCP${from.family} ${from} ${to} ${source.port} ${destination.port}\r\n`,
  );
}

/** A version 2 header without TLVs: 28 bytes for IPv4, 52 for IPv6. Families mix as in {@linkcode encodeProxyV1}. */
export function encodeProxyV2(
  transport: "tcp" | "udp",
  source: Endpoint,
  destination: Endpoint,
): Uint8Array<ArrayBuffer> {
  const [from, to] = sameFamily(source.address, destination.address);
  const words = from.family === 4 ? 1 : 4;
  const addressBytes = words * 8 + 4;
  const header = new Uint8Array(PROXY_V2_FIXED_BYTES + addressBytes);
  const view = new DataView(header.buffer);
  header.set(PROXY_V2_SIGNATURE);
  header[12] = PROXY_V2_COMMAND.proxy;
  header[13] = (from.family === 4 ? PROXY_V2_FAMILY.ipv4 : PROXY_V2_FAMILY.ipv6) << 4 |
    (transport === "tcp" ? PROXY_V2_TRANSPORT.stream : PROXY_V2_TRANSPORT.datagram);
  view.setUint16(14, addressBytes);
  for (let i = 0; i < words; i++) {
    view.setUint32(16 + i * 4, from.words[i] ?? 0);
    view.setUint32(16 + (words + i) * 4, to.words[i] ?? 0);
  }
  view.setUint16(16 + words * 8, source.port);
  view.setUint16(18 + words * 8, destination.port);
  return header;
}

/** A version 2 header for a connection of lvsd's own, such as a health check of a server that demands a header. */
export function encodeProxyLocal(): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(...PROXY_V2_SIGNATURE, PROXY_V2_COMMAND.local, 0, 0, 0);
}

function sameFamily(source: IpAddress, destination: IpAddress): [IpAddress, IpAddress] {
  return source.family === destination.family
    ? [source, destination]
    : [ipv4Mapped(source), ipv4Mapped(destination)];
}

/** `::ffff:a.b.c.d` as an IPv6 address proper, which `IpAddress.parse` by intent never yields. */
function ipv4Mapped(address: IpAddress): IpAddress {
  if (address.family === 6) return address;
  return new IpAddress(6, Uint32Array.of(0, 0, 0xffff, address.words[0] ?? 0));
}
