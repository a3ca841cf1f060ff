/**
 * Reads a PROXY header from the start of a byte stream, however the stream is cut.
 *
 * Strict by haproxy's doc/proxy-protocol.txt: what does not match exactly is broken and the connection must go.
 *
 * @module
 */
import { ProtocolError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { IpAddress } from "./address.ts";
import type { Endpoint } from "./endpoint.ts";
import {
  PROXY_V2_COMMAND,
  PROXY_V2_FAMILY,
  PROXY_V2_FIXED_BYTES,
  PROXY_V2_SIGNATURE,
  PROXY_V2_TRANSPORT,
  type ProxyHeader,
} from "./proxy_protocol.ts";

/** `PROXY UNKNOWN` with two longest IPv6 addresses and ports, CRLF included: section 2.1's worst case. */
const V1_LINE_BYTES = 107;
const V1_SIGNATURE: readonly number[] = [...new TextEncoder().encode("PROXY ")];
const CR = 0x0d;
const LF = 0x0a;

/** How far a decoder has come. */
export type ProxyProgress =
  | { readonly state: "more" }
  | {
    readonly state: "header";
    readonly header: ProxyHeader;
    /** Payload that came with the last bytes pushed; a view of them. */
    readonly rest: Uint8Array;
  }
  | { readonly state: "broken"; readonly error: ProtocolError };

const MORE: ProxyProgress = { state: "more" };

/**
 * Decoder of one header of either version; made for one connection. It holds at most `LIMITS.proxyHeaderBytes`.
 *
 * Error codes: `PROXY_SIGNATURE` (no header), `PROXY_LINE` (version 1), `PROXY_VERSION`, `PROXY_COMMAND`,
 * `PROXY_FAMILY`, `PROXY_LENGTH` (version 2).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const bytes = new TextEncoder().encode("PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\nGET /");
 * const decoder = new ProxyDecoder();
 * assert.equal(decoder.push(bytes.subarray(0, 20)).state, "more");
 * const progress = decoder.push(bytes.subarray(20));
 * assert.ok(progress.state === "header");
 * assert.equal(progress.header.source?.address.toString(), "192.0.2.7");
 * assert.equal(new TextDecoder().decode(progress.rest), "GET /");
 * ```
 */
export class ProxyDecoder {
  // Nearly every header comes whole in the first segment and fits; longer ones (TLVs) grow the buffer once.
  #held: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  #heldBytes = 0;

  /** Takes the next bytes of the stream. After `header` or `broken` the decoder has done its work. */
  push(bytes: Uint8Array): ProxyProgress {
    const before = this.#heldBytes;
    this.#hold(bytes);
    const seen = this.#held.subarray(0, this.#heldBytes);
    const progress = seen[0] === PROXY_V2_SIGNATURE[0] ? decodeV2(seen) : decodeV1(seen);
    if (progress === undefined) return MORE;
    if (progress instanceof ProtocolError) return { state: "broken", error: progress };
    return { state: "header", header: progress, rest: bytes.subarray(progress.consumedBytes - before) };
  }

  /** Copies what may belong to the header; payload behind it stays in the caller's bytes. */
  #hold(bytes: Uint8Array): void {
    const taken = bytes.subarray(0, LIMITS.proxyHeaderBytes - this.#heldBytes);
    const total = this.#heldBytes + taken.length;
    if (total > this.#held.length) {
      const grown = new Uint8Array(LIMITS.proxyHeaderBytes);
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(taken, this.#heldBytes);
    this.#heldBytes = total;
  }
}

/** A header, an error, or `undefined` for "not enough bytes". */
type Decoded = ProxyHeader | ProtocolError | undefined;

function decodeV1(seen: Uint8Array): Decoded {
  if (!startsLike(seen, V1_SIGNATURE)) return notAHeader();
  const end = seen.findIndex((byte) => byte === CR || byte === LF);
  if (end < 0 || (end + 1 === seen.length && seen[end] === CR)) {
    return seen.length < V1_LINE_BYTES ? undefined : brokenLine(`no CRLF in ${V1_LINE_BYTES} bytes`);
  }
  if (end + 2 > V1_LINE_BYTES) return brokenLine(`no CRLF in ${V1_LINE_BYTES} bytes`);
  if (seen[end] !== CR || seen[end + 1] !== LF) return brokenLine("it must end with CRLF");
  return parseLine(new TextDecoder("latin1").decode(seen.subarray(0, end)), end + 2);
}

function parseLine(line: string, consumedBytes: number): ProxyHeader | ProtocolError {
  const [, protocol, from = "", to = "", fromPort = "", toPort = "", ...more] = line.split(" ");
  if (protocol === "UNKNOWN") return { version: 1, local: false, transport: "unknown", consumedBytes };
  if (protocol !== "TCP4" && protocol !== "TCP6") {
    return brokenLine("its protocol is not TCP4, TCP6 or UNKNOWN");
  }
  const source = lineEndpoint(protocol, from, fromPort);
  const destination = lineEndpoint(protocol, to, toPort);
  if (source === undefined || destination === undefined || more.length > 0) {
    return brokenLine(`it must be "PROXY ${protocol} ADDRESS ADDRESS PORT PORT"`);
  }
  return { version: 1, local: false, transport: "tcp", source, destination, consumedBytes };
}

/** IPv4-mapped addresses are fine behind TCP6: nginx writes them for IPv4 clients of a `[::]` listener. */
function lineEndpoint(protocol: "TCP4" | "TCP6", host: string, portText: string): Endpoint | undefined {
  if (host.includes(":") !== (protocol === "TCP6")) return undefined;
  const address = IpAddress.tryParse(host);
  if (address === undefined || !/^(0|[1-9]\d{0,4})$/.test(portText) || Number(portText) > 65_535) {
    return undefined;
  }
  return { address, port: Number(portText) };
}

function decodeV2(seen: Uint8Array): Decoded {
  if (!startsLike(seen, PROXY_V2_SIGNATURE)) return notAHeader();
  const command = seen[12];
  if (command === undefined) return undefined;
  if (command >> 4 !== 2) return broken("PROXY_VERSION", `version ${command >> 4} is not 2`, command);
  if (command !== PROXY_V2_COMMAND.local && command !== PROXY_V2_COMMAND.proxy) {
    return broken("PROXY_COMMAND", `command ${command & 15} is neither LOCAL (0) nor PROXY (1)`, command);
  }
  if (seen.length < PROXY_V2_FIXED_BYTES) return undefined;
  const view = new DataView(seen.buffer, seen.byteOffset, seen.length);
  const consumedBytes = PROXY_V2_FIXED_BYTES + view.getUint16(14);
  if (consumedBytes > LIMITS.proxyHeaderBytes) {
    const allowed = `more than the ${LIMITS.proxyHeaderBytes} allowed`;
    return broken("PROXY_LENGTH", `${consumedBytes} bytes are ${allowed}`, consumedBytes);
  }
  const local = command === PROXY_V2_COMMAND.local;
  // Judged before the rest is awaited: an impossible header is refused with its 16th byte.
  const shape = local ? undefined : addressShape(view.getUint8(13), consumedBytes - PROXY_V2_FIXED_BYTES);
  if (shape instanceof ProtocolError) return shape;
  if (seen.length < consumedBytes) return undefined;
  if (shape === undefined) return { version: 2, local, transport: "unknown", consumedBytes };
  return {
    version: 2,
    local,
    transport: shape.transport,
    ...readAddresses(view, shape.words),
    consumedBytes,
  };
}

interface AddressShape {
  readonly transport: "tcp" | "udp";
  /** 32-bit words of one address. */
  readonly words: 1 | 4;
}

/** `undefined` for what may be sent but carries no IP address: unspecified, or a Unix socket. */
function addressShape(byte: number, addressBytes: number): AddressShape | ProtocolError | undefined {
  const family = byte >> 4;
  const transport = byte & 15;
  if (family > PROXY_V2_FAMILY.unix || transport > PROXY_V2_TRANSPORT.datagram) {
    return broken("PROXY_FAMILY", `family and transport 0x${byte.toString(16)} are not assigned`, byte);
  }
  if (family === PROXY_V2_FAMILY.unspecified || transport === PROXY_V2_TRANSPORT.unspecified) {
    return undefined;
  }
  const needed = V2_ADDRESS_BYTES[family] ?? 0;
  if (addressBytes < needed) {
    return broken("PROXY_LENGTH", `${addressBytes} address bytes where ${needed} are needed`, addressBytes);
  }
  if (family === PROXY_V2_FAMILY.unix) return undefined;
  return {
    transport: transport === PROXY_V2_TRANSPORT.stream ? "tcp" : "udp",
    words: family === PROXY_V2_FAMILY.ipv4 ? 1 : 4,
  };
}

/** By family: two addresses, and two ports for IP. */
const V2_ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216];

function readAddresses(view: DataView, words: 1 | 4): { source: Endpoint; destination: Endpoint } {
  const portsAt = PROXY_V2_FIXED_BYTES + words * 8;
  return {
    source: { address: readAddress(view, PROXY_V2_FIXED_BYTES, words), port: view.getUint16(portsAt) },
    destination: {
      address: readAddress(view, PROXY_V2_FIXED_BYTES + words * 4, words),
      port: view.getUint16(portsAt + 2),
    },
  };
}

function readAddress(view: DataView, at: number, words: 1 | 4): IpAddress {
  if (words === 1) return IpAddress.ipv4(view.getUint32(at));
  return IpAddress.ipv6(Uint32Array.from({ length: 4 }, (_, i) => view.getUint32(at + i * 4)));
}

function startsLike(seen: Uint8Array, signature: readonly number[]): boolean {
  for (let i = 0; i < Math.min(seen.length, signature.length); i++) {
    if (seen[i] !== signature[i]) return false;
  }
  return true;
}

function notAHeader(): ProtocolError {
  return new ProtocolError(
    "PROXY_SIGNATURE",
    "the stream does not start with a PROXY header; let the client side send one, or take it off acceptProxyFrom",
  );
}

function brokenLine(why: string): ProtocolError {
  return new ProtocolError("PROXY_LINE", `broken PROXY line: ${why}`);
}

function broken(code: string, why: string, value: number): ProtocolError {
  return new ProtocolError(code, `broken PROXY v2 header: ${why}`, { value });
}
