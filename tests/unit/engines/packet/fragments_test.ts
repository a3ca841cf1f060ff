/**
 * Fragments: put together before the director looks, told about when they do not become whole, and sent no larger than they came.
 */
import assert from "node:assert/strict";
import { checksumOf } from "../../../../packet/checksum.ts";
import { sealIpv4 } from "../../../../packet/ipv4.ts";
import { ipPacket, ipv6Fragment } from "../../packet/frames.ts";
import { only, Wire } from "./wire.ts";

const CLIENT = "10.1.0.10";
const VIP = "10.1.0.100";
const SERVER = "172.16.0.11";
const SIX = { client: "fd00:1::10", vip: "fd00:1::100", server: "fd00:2::11" } as const;

/** A part of a UDP packet's payload as a fragment of its own. */
function fragmentOf(whole: Uint8Array, offset: number, size: number, more: boolean): Uint8Array {
  const bytes = ipPacket({
    source: CLIENT,
    destination: VIP,
    protocol: 99,
    payload: whole.slice(20 + offset, 20 + offset + size),
    fragment: (offset / 8) | (more ? 0x2000 : 0),
  });
  bytes[9] = 17;
  bytes[10] = 0;
  bytes[11] = 0;
  const sum = checksumOf(bytes, 0, 20);
  bytes[10] = sum >>> 8;
  bytes[11] = sum;
  return bytes;
}

Deno.test("fragments of a request are put together, translated, and leave no larger than they came", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER, port: 5_353 }], 53);
  const whole = ipPacket({
    source: CLIENT,
    destination: VIP,
    destinationPort: 53,
    payload: new Uint8Array(2_000).fill(7),
  });
  assert.deepEqual(wire.fromClient(fragmentOf(whole, 1_000, 1_008, false)), [], "the last one first");
  const sent = wire.fromClient(fragmentOf(whole, 0, 1_000, true));
  assert.deepEqual(sent.map(({ packet }) => [packet.length, packet.fragmentOffset, packet.moreFragments]), [
    [1_020, 0, true],
    [1_028, 1_000, false],
  ]);
  assert.equal(sent[0]?.packet.destinationPort, 5_353);
});

Deno.test("fragments that lie behind the last one spoil the datagram, whichever comes first", () => {
  const whole = ipPacket({
    source: CLIENT,
    destination: VIP,
    destinationPort: 53,
    payload: new Uint8Array(16).fill(7),
  });
  // As many bytes as the last one promises, with a hole, and eight behind the end.
  const [first, last, behind] = [
    fragmentOf(whole, 0, 8, true),
    fragmentOf(whole, 16, 8, false),
    fragmentOf(whole, 0, 8, true),
  ];
  behind[7] = 24 / 8;
  sealIpv4(behind, 0);
  for (const order of [[behind, last, first], [first, last, behind], [last, behind, first]]) {
    const wire = new Wire();
    wire.serve(VIP, "udp", [{ at: SERVER, port: 5_353 }], 53);
    for (const it of order) assert.deepEqual(wire.fromClient(it), []);
  }
});

Deno.test("a datagram that does not become whole: its sender is told after 30 s, over IPv6 after 60 s", () => {
  const whole = ipPacket({
    source: CLIENT,
    destination: VIP,
    destinationPort: 53,
    payload: new Uint8Array(64),
  });
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER }], 53);
  assert.deepEqual(wire.fromClient(fragmentOf(whole, 0, 32, true)), []);
  assert.deepEqual(wire.advance(29_999), []);
  assert.match(only(wire.advance(1)).text, /^outside .* icmp 11\/1 10\.1\.0\.100 > 10\.1\.0\.10 /);
  assert.deepEqual(wire.fromClient(fragmentOf(whole, 32, 40, false)), [], "too late");
  const six = ipPacket({ source: "fd00:1::10", destination: "fd00:1::100", payload: new Uint8Array(32) });
  const first = Uint8Array.of(...six.subarray(0, 40), 17, 0, 0, 1, 0, 0, 0, 7, ...six.subarray(40));
  first[5] = (first[5] ?? 0) + 8;
  first[6] = 44;
  assert.deepEqual(wire.fromClient(first), []);
  assert.deepEqual(wire.advance(59_999), []);
  const { packet } = only(wire.advance(1));
  assert.deepEqual([...packet.bytes.subarray(packet.transport, packet.transport + 2)], [3, 1]);
});

Deno.test("fragments that overlap spoil the datagram; one that comes twice does not", () => {
  const payload = new Uint8Array(64).fill(7);
  const whole = ipPacket({ source: CLIENT, destination: VIP, destinationPort: 53, payload });
  const parts = (wire: Wire, ...spans: [from: number, size: number][]) =>
    spans.flatMap(([from, size]) => wire.fromClient(fragmentOf(whole, from, size, from + size < 72)));
  for (const [middle, count] of [[[0, 32], 2], [[24, 32], 0]] as const) {
    const wire = new Wire();
    wire.serve(VIP, "udp", [{ at: SERVER }], 53);
    assert.equal(parts(wire, [0, 32], [...middle], [32, 40]).length, count);
  }
});

Deno.test("NAT over IPv6: a reply in fragments is translated, and leaves in such again", () => {
  const wire = new Wire();
  wire.serve(SIX.vip, "udp", [{ at: SIX.server, port: 5_353 }], 53);
  only(wire.fromClient({ source: SIX.client, destination: SIX.vip, destinationPort: 53 }));
  const payload = new Uint8Array(1_500);
  const ends = { source: SIX.server, destination: SIX.client, sourcePort: 5_353, destinationPort: 40_000 };
  const reply = ipPacket({ ...ends, payload });
  assert.deepEqual(wire.fromServer(ipv6Fragment(reply, 0, 1_208)), []);
  const sent = wire.fromServer(ipv6Fragment(reply, 1_208, 1_508));
  assert.deepEqual(sent.map(({ link, packet }) => [link, packet.length]), [["outside", 1_280], [
    "outside",
    324,
  ]]);
  assert.match(sent[0]?.text ?? "", /fd00:1::100/);
});

Deno.test("a later fragment whose hops are spent, or that nobody wants, tells nobody", () => {
  const wire = new Wire();
  const more = { source: CLIENT, destination: SERVER, protocol: 99, ttl: 1 };
  assert.deepEqual(wire.fromClient(ipPacket({ ...more, fragment: 5 })), []);
  assert.match(only(wire.fromClient(ipPacket({ ...more, fragment: 0x2000 }))).text, /icmp 11\/0/);
});
