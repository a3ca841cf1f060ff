/**
 * Packets from nobody one would trust: cut at every byte, with lying lengths, in a buffer full of something else.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { IpPacket } from "../../packet/ip_packet.ts";
import { checksumOf, foldSum, replaced16, replaced32, sumWords } from "../../packet/checksum.ts";
import { get16, get32, put16, put32 } from "../../packet/bytes.ts";
import { EthernetHeader } from "../../packet/ethernet.ts";
import { neighbourMacAt } from "../../packet/neighbour_discovery.ts";
import { greBytes, gueBytes } from "../../packet/tunnel.ts";
import { decrementTtl, IPV4, sealIpv4 } from "../../packet/ipv4.ts";
import { frame, ipPacket } from "../unit/packet/frames.ts";

const SAMPLES: readonly Uint8Array[] = [
  ipPacket({ source: "10.0.0.1", destination: "10.0.0.2", payload: new Uint8Array(9) }),
  ipPacket({
    source: "10.0.0.1",
    destination: "10.0.0.2",
    protocol: 6,
    options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0),
  }),
  ipPacket({ source: "fd00::1", destination: "fd00::2", protocol: 6 }),
  ipPacket({ source: "fd00::1", destination: "fd00::2", protocol: 0, payload: extensions() }),
  ipPacket({ source: "10.0.0.1", destination: "10.0.0.2", protocol: 1, payload: quoting() }),
];

function extensions(): Uint8Array {
  // Hop-by-hop, routing, fragment, authentication, destination options, UDP.
  return Uint8Array.of(
    ...[43, 0, 0, 0, 0, 0, 0, 0],
    ...[44, 0, 0, 0, 0, 0, 0, 0],
    ...[51, 0, 0, 0, 0, 0, 0, 9],
    ...[60, 0, 0, 0, 0, 0, 0, 0],
    ...[17, 0, 0, 0, 0, 0, 0, 0],
    ...[0x9c, 0x40, 0, 53, 0, 8, 0, 0],
  );
}

function quoting(): Uint8Array {
  const inner = ipPacket({ source: "10.0.0.2", destination: "10.0.0.1", protocol: 6 });
  return Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0, ...inner.subarray(0, 28));
}

/** What the view says, as one text. */
function viewOf(bytes: Uint8Array, at: number, to: number): string {
  const packet = new IpPacket();
  const isRead = packet.read(bytes, at, to);
  const isQuoted = new IpPacket().readQuoted(bytes, at, to);
  const words = new Uint32Array(4);
  packet.readSource(words);
  const { end, transport, protocol, fragmentOffset, sourcePort, destinationPort, tcpFlags, hasPorts } =
    packet;
  const place = isRead ? [end - at, transport - at, ...words] : [];
  const header = new EthernetHeader();
  return JSON.stringify([
    isRead,
    isQuoted,
    place,
    isRead && [protocol, fragmentOffset, sourcePort, destinationPort, tcpFlags, hasPorts],
    header.read(bytes, at, to) && [header.ethertype, header.vlan, header.payload - at],
    greBytes(bytes, at, to),
    gueBytes(bytes, at, to),
    neighbourMacAt(bytes, at, to) < 0 ? -1 : neighbourMacAt(bytes, at, to) - at,
  ]);
}

/** The packet in the midst of other bytes; the view must not see them. */
function assertSeesOnly(packet: Uint8Array): void {
  const views = [0x00, 0xff, 0x5a].map((filling) => {
    const around = new Uint8Array(packet.length + 256).fill(filling);
    around.set(packet, 128);
    return viewOf(around, 128, 128 + packet.length);
  });
  assert.equal(views[1], views[0]);
  assert.equal(views[2], views[0]);
}

Deno.test("a packet cut at any byte is refused or read without a look behind its end", () => {
  for (const sample of SAMPLES) {
    assert.ok(new IpPacket().read(sample, 0, sample.length));
    for (let length = 0; length <= sample.length; length++) assertSeesOnly(sample.slice(0, length));
  }
});

Deno.test("a packet whose bytes lie is refused or read without a look behind its end", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SAMPLES),
      fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.nat(120),
      (sample, lies, cut) => {
        const packet = sample.slice(0, sample.length - Math.min(cut % 24, sample.length));
        for (const [at, value] of lies) if (at < packet.length) packet[at] = value;
        if (packet.length >= 20 && (packet[0] ?? 0) >>> 4 === 4) sealIpv4(packet, 0);
        assertSeesOnly(packet);
      },
    ),
    { numRuns: 3_000 },
  );
});

Deno.test("a frame of noise is refused or read without a look behind its end", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), assertSeesOnly), { numRuns: 3_000 });
});

Deno.test("a checksum changed by what changed is the checksum computed anew", () => {
  fc.assert(fc.property(
    fc.uint8Array({ minLength: 12, maxLength: 60 }),
    fc.nat(0xffff),
    fc.nat(0xffff_ffff),
    (bytes, word, long) => {
      bytes[0] = 1; // a sum of nothing but zeros has two checksums
      put16(bytes, 2, 0);
      put16(bytes, 2, checksumOf(bytes, 0, bytes.length));
      const changed = bytes.slice();
      put16(changed, 2, replaced16(get16(changed, 2), get16(changed, 4), word));
      put16(changed, 4, word);
      put16(changed, 2, replaced32(get16(changed, 2), get32(changed, 8), long));
      put32(changed, 8, long);
      assert.equal(checksumOf(changed, 0, changed.length), 0);
    },
  ));
});

Deno.test("a sum in pieces is the sum of the whole", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3_000 }), fc.nat(1_500), (bytes, half) => {
    const middle = Math.min(bytes.length, half * 2) & ~1;
    const pieces = sumWords(bytes, middle, bytes.length, sumWords(bytes, 0, middle));
    assert.equal(foldSum(pieces) % 0xffff, foldSum(sumWords(bytes, 0, bytes.length)) % 0xffff);
  }));
});

Deno.test("a hop less keeps the header's checksum right, whatever it was", () => {
  for (let id = 0; id < 0x1_0000; id += 7) {
    const packet = ipPacket({ source: "10.0.0.1", destination: "10.0.0.2", id });
    decrementTtl(packet, 0);
    assert.equal(packet[IPV4.ttl], 63);
    assert.equal(checksumOf(packet, 0, 20), 0);
  }
});

Deno.test("extension headers lead to the upper layer", () => {
  const packet = new IpPacket();
  const sample = SAMPLES[3] ?? new Uint8Array(0);
  assert.ok(packet.read(sample, 0, sample.length));
  assert.deepEqual([packet.protocol, packet.sourcePort, packet.destinationPort, packet.isFragment], [
    17,
    40_000,
    53,
    false,
  ]);
});

Deno.test("a VLAN tag is read", () => {
  const header = new EthernetHeader();
  const bytes = frame(SAMPLES[0] ?? new Uint8Array(0), "02:00:00:00:00:01", "02:00:00:00:00:02", 100);
  assert.ok(header.read(bytes, 0, bytes.length));
  assert.deepEqual([header.vlan, header.ethertype, header.payload], [100, 0x0800, 18]);
});
