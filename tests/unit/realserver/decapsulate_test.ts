/**
 * What the director wraps, the real server unwraps, byte for byte; and nothing else.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Translation } from "../../../modes/translation.ts";
import { encapsulate, tunnelOverhead } from "../../../modes/tun_packet.ts";
import { packTunnel, type Tunnel } from "../../../modes/tunnel.ts";
import { put16, put32 } from "../../../packet/bytes.ts";
import { checksumOf, foldSum, pseudoHeaderSum } from "../../../packet/checksum.ts";
import { IpPacket } from "../../../packet/ip_packet.ts";
import { IP_PROTOCOL, UDP_BYTES } from "../../../packet/transport.ts";
import { innerAt } from "../../../realserver/decapsulate.ts";
import { ipPacket } from "../packet/frames.ts";

const HEADROOM = 96;
const TUNNELS: readonly Tunnel[] = [
  { type: "ipip", port: 0, checksum: "nocsum" },
  { type: "gre", port: 0, checksum: "nocsum" },
  { type: "gre", port: 0, checksum: "csum" },
  { type: "gue", port: 6_080, checksum: "nocsum" },
  { type: "gue", port: 6_080, checksum: "csum" },
  { type: "gue", port: 6_080, checksum: "remcsum" },
];

function wrap(inner: Uint8Array, tunnel: Tunnel, outerFamily: 4 | 6): IpPacket {
  const bytes = new Uint8Array(HEADROOM + inner.length);
  bytes.set(inner, HEADROOM);
  const packet = new IpPacket();
  assert.ok(packet.read(bytes, HEADROOM, bytes.length));
  const translation = new Translation();
  translation.destinationFamily = outerFamily;
  translation.destination.fill(0x0a000001, 0, outerFamily === 4 ? 1 : 4);
  translation.tunnel = packTunnel(tunnel);
  const source = Uint32Array.of(0x0a000002, 0, 0, 7);
  const overhead = tunnelOverhead(translation);
  encapsulate(packet, translation, { source, id: 7, copyDontFragment: true, flowHash: 99 });
  assert.equal(packet.length, inner.length + overhead);
  return packet;
}

Deno.test("what is wrapped comes out as it was, whatever the tunnel, the families and the payload", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...TUNNELS),
      fc.constantFrom(4 as const, 6 as const),
      fc.boolean(),
      fc.uint8Array({ maxLength: 1_500 }),
      (tunnel, outerFamily, isIpv6, payload) => {
        const sides = isIpv6
          ? { source: "fd00::1", destination: "fd00::2" }
          : { source: "192.0.2.1", destination: "10.1.0.100" };
        const inner = ipPacket({ ...sides, payload });
        const { bytes, at, end, transport, protocol } = wrap(inner, tunnel, outerFamily);
        const isGue = protocol === IP_PROTOCOL.udp;
        const from = isGue ? transport + UDP_BYTES : outerFamily === 4 ? at : transport;
        const arrived = bytes.slice(from, end);
        const inside = innerAt(arrived, 0, arrived.length, protocol, outerFamily === 4 && !isGue);
        assert.deepEqual(arrived.subarray(inside), inner);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("a GUE packet with its checksum left to the receiver (remote checksum offload) comes out finished", () => {
  const inner = ipPacket({ source: "192.0.2.1", destination: "10.1.0.100", payload: Uint8Array.of(1, 2, 3) });
  const unfinished = inner.slice();
  put16(unfinished, 26, foldSum(pseudoHeaderSum(inner, 12, 4, 17, 11)));
  const header = new Uint8Array(12);
  header.set([0x02, 4, 0, 1]);
  put32(header, 4, 0x8000_0000);
  put16(header, 8, 20);
  put16(header, 10, 26);
  const arrived = Uint8Array.of(...header, ...unfinished);
  const at = innerAt(arrived, 0, arrived.length, IP_PROTOCOL.udp, false);
  assert.deepEqual(arrived.subarray(at), inner);
  assert.equal(checksumOf(arrived, at + 20, arrived.length, pseudoHeaderSum(inner, 12, 4, 17, 11)), 0);
});

Deno.test("noise and damage hold nothing, and no look goes behind the end", () => {
  const gre = wrap(
    ipPacket({ source: "192.0.2.1", destination: "10.1.0.100" }),
    { type: "gre", port: 0, checksum: "csum" },
    4,
  );
  const damaged = gre.bytes.slice(gre.at, gre.end).with(40, 0x77);
  assert.equal(innerAt(damaged, 0, damaged.length, IP_PROTOCOL.gre, true), -1);
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 80 }),
    fc.constantFrom(4, 17, 41, 47, 99),
    fc.boolean(),
    (bytes, protocol, hasOuterHeader) => {
      const at = innerAt(bytes, 0, bytes.length, protocol, hasOuterHeader);
      assert.ok(at >= -1 && at <= bytes.length);
    },
  ));
});
