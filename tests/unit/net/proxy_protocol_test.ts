/** PROXY headers: what the encoders write, the decoder reads, however it is cut; and whatever comes, it ends. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtocolError } from "../../../errors.ts";
import { LIMITS } from "../../../limits.ts";
import { IpAddress } from "../../../net/address.ts";
import { type Endpoint, formatEndpoint } from "../../../net/endpoint.ts";
import { ProxyDecoder, type ProxyProgress } from "../../../net/proxy_decoder.ts";
import { encodeProxyLocal, encodeProxyV1, encodeProxyV2 } from "../../../net/proxy_protocol.ts";
import { proveProperty } from "./property.ts";

const endpoint: fc.Arbitrary<Endpoint> = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65_535))
  .map(([address, port]) => ({ address: IpAddress.parse(address), port }));

type Version = "v1" | "v2 tcp" | "v2 udp";
const version = fc.constantFrom<Version>("v1", "v2 tcp", "v2 udp");

function encode(version: Version, source: Endpoint, destination: Endpoint): Uint8Array<ArrayBuffer> {
  if (version === "v1") return encodeProxyV1(source, destination);
  return encodeProxyV2(version === "v2 tcp" ? "tcp" : "udp", source, destination);
}

/** Feeds a decoder pieces of these lengths, then the rest; what it said at last, and the payload behind the header. */
function decodeCut(stream: Uint8Array, cuts: readonly number[]): { last: ProxyProgress; payload: number[] } {
  const decoder = new ProxyDecoder();
  let at = 0;
  for (const length of [...cuts, stream.length]) {
    const last = decoder.push(stream.subarray(at, at + length));
    at = Math.min(stream.length, at + length);
    if (last.state === "header") return { last, payload: [...last.rest, ...stream.subarray(at)] };
    if (last.state === "broken" || at === stream.length) return { last, payload: [] };
  }
  throw new Error("unreachable: the last piece is the whole rest");
}

function joined(...parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

Deno.test("proxy: what is written is read, cut anywhere, with the payload behind it untouched", () => {
  const cuts = fc.array(fc.nat(40), { maxLength: 30 });
  const property = fc.property(
    version,
    endpoint,
    endpoint,
    fc.uint8Array(),
    cuts,
    (version, from, to, payload, cuts) => {
      const header = encode(version, from, to);
      const { last, payload: rest } = decodeCut(joined(header, payload), cuts);
      assert.ok(last.state === "header", last.state);
      const { source, destination, transport, local, consumedBytes } = last.header;
      assert.ok(source !== undefined && destination !== undefined);
      assert.deepEqual([source, destination].map(formatEndpoint), [from, to].map(formatEndpoint));
      assert.equal(transport, version === "v2 udp" ? "udp" : "tcp");
      assert.equal(local, false);
      assert.equal(consumedBytes, header.length);
      assert.deepEqual(rest, [...payload]);
    },
  );
  proveProperty(property, 2_000);
});

Deno.test("proxy: no header is longer than the specification's worst case", () => {
  proveProperty(fc.property(endpoint, endpoint, (from, to) => {
    assert.ok(encodeProxyV1(from, to).length <= 107);
    assert.ok([28, 52].includes(encodeProxyV2("tcp", from, to).length));
  }));
});

Deno.test("proxy: any bytes in any pieces are more, a header, or broken with a code; nothing is thrown", () => {
  const start = fc.constantFrom(
    "",
    "PROXY ",
    "PROXY TCP4 ",
    "PROXY UNKNOWN",
    "\r\n\r\n\0\r\nQUIT\n",
    "\r\n\r\n\0\r\nQUIT\n\x21\x11",
  );
  const cuts = fc.array(fc.nat(200), { maxLength: 30 });
  proveProperty(
    fc.property(start, fc.uint8Array({ maxLength: 300 }), cuts, (start, tail, cuts) => {
      assertOrderly(joined(bytes(start), tail), cuts);
    }),
    3_000,
  );
});

Deno.test("proxy: a good header with one byte changed is read or refused in order", () => {
  const change = fc.record({ at: fc.nat(106), to: fc.nat(255) });
  proveProperty(
    fc.property(version, endpoint, endpoint, change, (version, from, to, { at, to: byte }) => {
      const header = encode(version, from, to);
      header[at % header.length] = byte;
      assertOrderly(header, []);
    }),
    3_000,
  );
});

function assertOrderly(stream: Uint8Array, cuts: readonly number[]): void {
  const { last } = decodeCut(stream, cuts);
  if (last.state === "broken") {
    assert.ok(last.error instanceof ProtocolError);
    assert.match(last.error.code, /^PROXY_(SIGNATURE|LINE|VERSION|COMMAND|FAMILY|LENGTH)$/);
  } else if (last.state === "header") {
    assert.ok(last.header.consumedBytes <= Math.min(stream.length, LIMITS.proxyHeaderBytes));
  } else {
    assert.ok(stream.length < LIMITS.proxyHeaderBytes, "more is asked for within the limit only");
  }
}

Deno.test("proxy: the same stream gives the same answer, in one piece or byte by byte", () => {
  proveProperty(
    fc.property(version, endpoint, endpoint, fc.nat(255), fc.nat(60), (version, from, to, byte, at) => {
      const stream = encode(version, from, to);
      stream[at % stream.length] = byte;
      const whole = decodeCut(stream, []).last;
      const dripped = decodeCut(stream, Array.from(stream, () => 1)).last;
      assert.equal(dripped.state, whole.state);
      if (whole.state === "broken" && dripped.state === "broken") {
        assert.equal(dripped.error.message, whole.error.message);
      }
    }),
  );
});

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
const IPV4_BLOCK = "\xc0\0\x02\x07\xc0\0\x02\x01\xdc\x04\x01\xbb";
/** Version 2 with a command, a family byte, a length and what follows. */
const v2 = (command: number, family: number, length: number, follows = "") =>
  SIGNATURE + String.fromCharCode(command, family, length >> 8, length & 255) + follows;

const BROKEN: readonly (readonly [what: string, stream: string, code: string])[] = [
  ["another protocol", "GET / HTTP/1.1\r\n", "PROXY_SIGNATURE"],
  ["lower case", "proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n", "PROXY_SIGNATURE"],
  ["a signature that ends otherwise", "\r\n\r\n\0\r\nQUIT\r", "PROXY_SIGNATURE"],
  ["LF alone", "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n", "PROXY_LINE"],
  ["CR alone", "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\rX", "PROXY_LINE"],
  ["107 bytes without CRLF", "PROXY UNKNOWN " + "x".repeat(93), "PROXY_LINE"],
  ["a CRLF that comes at 108", "PROXY UNKNOWN " + "x".repeat(92) + "\r\n", "PROXY_LINE"],
  ["UDP in version 1", "PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n", "PROXY_LINE"],
  ["two spaces", "PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n", "PROXY_LINE"],
  ["a space at the end", "PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n", "PROXY_LINE"],
  ["too little", "PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n", "PROXY_LINE"],
  ["nothing", "PROXY \r\n", "PROXY_LINE"],
  ["a leading zero in an address", "PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n", "PROXY_LINE"],
  ["a leading zero in a port", "PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n", "PROXY_LINE"],
  ["a port too large", "PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n", "PROXY_LINE"],
  ["IPv6 behind TCP4", "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", "PROXY_LINE"],
  ["IPv4 behind TCP6", "PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n", "PROXY_LINE"],
  ["a word that only begins with UNKNOWN", "PROXY UNKNOWNX\r\n", "PROXY_LINE"],
  ["version 3", v2(0x31, 0x11, 12), "PROXY_VERSION"],
  ["version 1 in binary", v2(0x11, 0x11, 12), "PROXY_VERSION"],
  ["command 2", v2(0x22, 0x11, 12), "PROXY_COMMAND"],
  ["family 4", v2(0x21, 0x41, 12), "PROXY_FAMILY"],
  ["transport 3", v2(0x21, 0x13, 12), "PROXY_FAMILY"],
  ["IPv4 addresses cut short", v2(0x21, 0x11, 11), "PROXY_LENGTH"],
  ["IPv6 addresses cut short", v2(0x21, 0x22, 35), "PROXY_LENGTH"],
  ["Unix addresses cut short", v2(0x21, 0x31, 215), "PROXY_LENGTH"],
  ["more than the limit", v2(0x21, 0x11, LIMITS.proxyHeaderBytes - 15), "PROXY_LENGTH"],
  ["more than the limit, local", v2(0x20, 0, 65_535), "PROXY_LENGTH"],
];

for (const [what, stream, code] of BROKEN) {
  Deno.test(`proxy: ${what} is broken (${code})`, () => {
    const { last } = decodeCut(bytes(stream), []);
    assert.ok(last.state === "broken", last.state);
    assert.equal(last.error.code, code);
  });
}

const READ: readonly (readonly [what: string, stream: string, transport: string, source?: string])[] = [
  ["UNKNOWN alone", "PROXY UNKNOWN\r\n", "unknown"],
  ["UNKNOWN with the longest rest", "PROXY UNKNOWN " + "x".repeat(91) + "\r\n", "unknown"],
  ["ports at both ends", "PROXY TCP4 192.0.2.7 192.0.2.1 0 65535\r\n", "tcp", "192.0.2.7:0"],
  ["IPv6 in capitals", "PROXY TCP6 2001:DB8::7 2001:DB8::1 1 2\r\n", "tcp", "[2001:db8::7]:1"],
  // nginx on a dual-stack listener.
  ["IPv4-mapped behind TCP6", "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 1 2\r\n", "tcp", "192.0.2.7:1"],
  ["LOCAL with nothing", v2(0x20, 0, 0), "unknown"],
  ["LOCAL with a family that does not exist", v2(0x20, 0xff, 0), "unknown"],
  ["LOCAL with addresses", v2(0x20, 0x11, 12, IPV4_BLOCK), "unknown"],
  ["unspecified", v2(0x21, 0, 5, "12345"), "unknown"],
  ["IPv4 over an unspecified transport", v2(0x21, 0x10, 12, IPV4_BLOCK), "unknown"],
  ["a Unix socket", v2(0x21, 0x31, 216, "\0".repeat(216)), "unknown"],
  [
    "TLVs behind the addresses",
    v2(0x21, 0x11, 12 + 8, IPV4_BLOCK + "\x04\0\x05noop!"),
    "tcp",
    "192.0.2.7:56324",
  ],
  ["the longest header", v2(0x21, 0x12, 4_080, IPV4_BLOCK + "x".repeat(4_068)), "udp", "192.0.2.7:56324"],
];

for (const [what, stream, transport, source] of READ) {
  Deno.test(`proxy: ${what} is read, to its last byte`, () => {
    const { last, payload } = decodeCut(bytes(stream + "payload"), [3, 20, 1, 1]);
    assert.ok(last.state === "header", last.state === "broken" ? last.error.message : last.state);
    assert.equal(last.header.transport, transport);
    assert.equal(last.header.source && formatEndpoint(last.header.source), source);
    assert.equal(last.header.consumedBytes, stream.length);
    assert.deepEqual(payload, [...bytes("payload")]);
  });
}

Deno.test("proxy: our own local header is read as one", () => {
  const { last } = decodeCut(encodeProxyLocal(), []);
  assert.ok(last.state === "header" && last.header.local && last.header.source === undefined);
});

Deno.test("proxy: an impossible version 2 header is refused with its 16th byte, not after its rest", () => {
  assert.equal(new ProxyDecoder().push(bytes(v2(0x21, 0x11, 4))).state, "broken");
});
