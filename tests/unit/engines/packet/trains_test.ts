/**
 * Super-packets into tunnels: what is cut is what was there, each piece right by itself; and what the real server's end puts
 * together again is the same stream.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Tunnel } from "../../../../modes/tunnel.ts";
import { get16, get32, put16 } from "../../../../packet/bytes.ts";
import { checksumOf, foldSum, pseudoHeaderSum } from "../../../../packet/checksum.ts";
import { IpPacket } from "../../../../packet/ip_packet.ts";
import { IPV4 } from "../../../../packet/ipv4.ts";
import { IP_PROTOCOL, TCP, UDP, UDP_BYTES } from "../../../../packet/transport.ts";
import { Coalescer } from "../../../../realserver/coalescing.ts";
import { innerAt } from "../../../../realserver/decapsulate.ts";
import { frame, ipPacket } from "../../packet/frames.ts";
import { MAC, type Sent, Wire } from "./wire.ts";

const TUNNELS: readonly Tunnel[] = [
  { type: "ipip", port: 0, checksum: "nocsum" },
  { type: "gre", port: 0, checksum: "nocsum" },
  { type: "gre", port: 0, checksum: "csum" },
  { type: "gue", port: 6_080, checksum: "nocsum" },
  { type: "gue", port: 6_080, checksum: "csum" },
];
const FLAG = { fin: 0x01, syn: 0x02, push: 0x08, acknowledge: 0x10, congestion: 0x80 } as const;
const SIDES = {
  4: { source: "10.1.0.10", destination: "10.1.0.100" },
  6: { source: "fd00:1::10", destination: "fd00:1::100" },
} as const;

const trains = fc.record({
  tunnel: fc.constantFrom(...TUNNELS),
  family: fc.constantFrom(4 as const, 6 as const),
  outerFamily: fc.constantFrom(4 as const, 6 as const),
  payload: fc.integer({ min: 0, max: 65_000 }),
  segmentBytes: fc.integer({ min: 89, max: 1_388 }),
  flags: fc.constantFrom(0, FLAG.push, FLAG.fin | FLAG.push, FLAG.congestion, FLAG.congestion | FLAG.push),
  id: fc.integer({ min: 0, max: 0xffff }),
  seed: fc.integer({ min: 1, max: 0xffff }),
});
type Train = typeof trains extends fc.Arbitrary<infer T> ? T : never;

/** Among its segments is one whose whole checksum is what an unfinished one would be. */
const LOOKS_UNFINISHED: Train = {
  tunnel: { type: "ipip", port: 0, checksum: "nocsum" },
  family: 4,
  outerFamily: 4,
  payload: 658,
  segmentBytes: 94,
  flags: 0,
  id: 0,
  seed: 30_180,
};

function noise(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 24);
}

function superPacket({ family, payload, flags, id, seed }: Train): Uint8Array {
  const packet = ipPacket({
    ...SIDES[family],
    protocol: IP_PROTOCOL.tcp,
    flags: flags | FLAG.acknowledge,
    fragment: 0x4000,
    id,
    payload: noise(payload, seed),
  });
  // A system that leaves the checksum to its card writes the pseudo-header's sum there.
  const at = family === 4 ? 20 : 40;
  const [addresses, size] = family === 4 ? [12, 4] : [8, 16];
  put16(packet, at + TCP.checksum, foldSum(pseudoHeaderSum(packet, addresses, size, 6, packet.length - at)));
  return packet;
}

/** A director with one tunnelling real server, and a connection that is open. */
function wireFor({ tunnel, family, outerFamily }: Train): Wire {
  const wire = new Wire();
  const at = outerFamily === 4 ? "172.16.0.11" : "fd00:2::11";
  wire.serve(SIDES[family].destination, "tcp", [{ at, method: "tun", tunnel }]);
  wire.fromClient({ ...SIDES[family], protocol: IP_PROTOCOL.tcp, flags: FLAG.syn });
  return wire;
}

function cut(train: Train): { whole: Uint8Array; pieces: Uint8Array[] } {
  const whole = superPacket(train);
  const sent = wireFor(train).receiveFrame(
    { index: 1, name: "outside", mac: new Uint8Array(6), mtu: 1_500, vlan: 0 },
    frame(whole, MAC.client, MAC.outside),
    true,
    train.segmentBytes,
  );
  return { whole, pieces: sent.map((it) => unwrap(it, train)) };
}

/** The inner packet; the outer one is found right on the way. */
function unwrap({ packet }: Sent, { outerFamily, tunnel }: Train): Uint8Array {
  const { bytes, at, end, transport, protocol } = packet;
  assert.ok(new IpPacket().read(bytes, at, end), "the outer header is right");
  assert.equal(end, bytes.length, "and says how long the packet is");
  assert.ok(end - at <= 1_500);
  const isGue = protocol === IP_PROTOCOL.udp;
  if (isGue) {
    assert.equal(get16(bytes, transport + UDP.length), end - transport);
    const checksum = get16(bytes, transport + UDP.checksum);
    assert.equal(checksum !== 0, tunnel.checksum === "csum");
    const pseudo = pseudoHeaderSum(bytes, packet.addressesAt, packet.addressBytes, 17, end - transport);
    if (checksum !== 0) assert.equal(checksumOf(bytes, transport, end, pseudo), 0);
  }
  const from = isGue ? transport + UDP_BYTES : outerFamily === 4 ? at : transport;
  const inside = innerAt(bytes, from, end, protocol, outerFamily === 4 && !isGue);
  assert.ok(inside > 0, "a checksum of GRE is right");
  return bytes.slice(inside, end);
}

function read(bytes: Uint8Array): IpPacket {
  const packet = new IpPacket();
  assert.ok(packet.read(bytes, 0, bytes.length));
  assert.equal(packet.end, bytes.length);
  return packet;
}

function isIntact({ bytes, transport, end, addressesAt, addressBytes }: IpPacket): boolean {
  const pseudo = pseudoHeaderSum(bytes, addressesAt, addressBytes, IP_PROTOCOL.tcp, end - transport);
  return checksumOf(bytes, transport, end, pseudo) === 0;
}

Deno.test("a super-packet of any size becomes segments that are right each by itself and hold its bytes", () => {
  fc.assert(
    fc.property(trains, (train) => {
      const { whole, pieces } = cut(train);
      const { family, segmentBytes, payload, flags, id, seed } = train;
      const count = Math.max(1, Math.ceil(payload / segmentBytes));
      assert.equal(pieces.length, count);
      const headers = whole.length - payload;
      const bytes: number[] = [];
      pieces.forEach((piece, i) => {
        const packet = read(piece);
        const { transport } = packet;
        assert.ok(isIntact(packet), `the checksum of segment ${i} of ${count}`);
        assert.equal(get32(piece, transport + TCP.sequence), 1_000 + i * segmentBytes);
        const [isFirst, isLast] = [i === 0, i === count - 1];
        assert.equal(
          packet.tcpFlags,
          FLAG.acknowledge | (isLast ? flags & (FLAG.fin | FLAG.push) : 0) |
            (isFirst ? flags & FLAG.congestion : 0),
        );
        if (family === 4) assert.equal(get16(piece, IPV4.id), (id + i) & 0xffff);
        assert.equal(packet.ttl, 63);
        if (!isLast) assert.equal(piece.length, headers + segmentBytes);
        for (const byte of piece.subarray(headers)) bytes.push(byte);
      });
      assert.deepEqual(Uint8Array.from(bytes), noise(payload, seed));
    }),
    { numRuns: Deno.env.has("LVSD_PROOF") ? 5_000 : 150 },
  );
});

Deno.test("trains one after the other do not spoil each other's frames, and without a neighbour they wait in pieces", () => {
  const wire = new Wire({ knowsNeighbours: false });
  wire.serve("10.1.0.100", "tcp", [{ at: "172.16.0.11", method: "tun" }]);
  wire.fromClient({ ...SIDES[4], protocol: IP_PROTOCOL.tcp, flags: FLAG.syn });
  const train: Train = {
    tunnel: TUNNELS[0] ?? { type: "ipip", port: 0, checksum: "nocsum" },
    family: 4,
    outerFamily: 4,
    payload: 10_000,
    segmentBytes: 1_000,
    flags: 0,
    id: 7,
    seed: 3,
  };
  wire.receiveFrame(wire.outside, frame(superPacket(train), MAC.client, MAC.outside), true, 1_000);
  wire.receiveFrame(
    wire.outside,
    frame(superPacket({ ...train, seed: 4 }), MAC.client, MAC.outside),
    true,
    1_000,
  );
  assert.ok(!wire.takeSent().some((it) => it.packet.protocol === IP_PROTOCOL.ipip));
  const answer = frame(ipPacket({ ...SIDES[4] }), MAC.server, MAC.inside);
  answer.set([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x11, 172, 16, 0, 11], 12);
  answer.set([2, 0, 0, 0, 0xd0, 1, 172, 16, 0, 1], 32);
  const sent = wire.receiveFrame(wire.inside, answer).filter((it) => it.packet.protocol === IP_PROTOCOL.ipip);
  // The SYN, and two times ten segments.
  assert.equal(sent.length, 21);
  const payloads = sent.slice(1).map((it) => unwrap(it, train).subarray(40));
  assert.deepEqual(payloads.flatMap((it) => [...it]), [...noise(10_000, 3), ...noise(10_000, 4)]);
});

/** A TUN device that keeps what it gets. */
class Device {
  readonly packets: { offload: Uint8Array; packet: Uint8Array }[] = [];
  #pieces: [number, number][] = [];
  readonly #bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  addPiece(from: number, to: number): void {
    this.#pieces.push([from, to]);
  }
  inject(): boolean {
    const all = Uint8Array.from(this.#pieces.flatMap(([from, to]) => [...this.#bytes.subarray(from, to)]));
    this.#pieces = [];
    this.packets.push({ offload: all.slice(0, 10), packet: all.slice(10) });
    return true;
  }
}

/** Lets packets arrive as the tunnel's sockets do: each with room in front. */
function coalesce(packets: readonly Uint8Array[]): Device {
  const room = 2_048;
  const arena = new Uint8Array(room * Math.max(1, packets.length));
  const device = new Device(arena);
  let injected = 0;
  const coalescer = new Coalescer(arena, device, 1_500, (count) => injected += count);
  const view = new IpPacket();
  packets.forEach((packet, i) => {
    const at = i * room + 64;
    arena.set(packet, at);
    assert.ok(view.read(arena, at, at + packet.length));
    coalescer.take(view);
  });
  coalescer.flush();
  assert.equal(injected, packets.length, "each packet is told of");
  return device;
}

Deno.test("segments that arrive side by side become super-packets of the same bytes, checksum to be finished", () => {
  fc.assert(
    fc.property(trains, (train) => {
      const { whole, pieces } = cut(train);
      const { packets } = coalesce(pieces);
      const headers = whole.length - train.payload;
      assert.deepEqual(
        Uint8Array.from(packets.flatMap(({ packet }) => [...packet.subarray(headers)])),
        noise(train.payload, train.seed),
      );
      for (const { offload, packet } of packets) {
        const view = read(packet);
        const isTrain = (offload[0] ?? 0) === 1;
        if (!isTrain) {
          assert.ok(isIntact(view));
          continue;
        }
        const [low = 0, high = 0] = offload.subarray(4, 6);
        assert.equal(low | (high << 8), train.segmentBytes);
        const { bytes, transport, addressesAt, addressBytes, end } = view;
        const pseudo = pseudoHeaderSum(bytes, addressesAt, addressBytes, IP_PROTOCOL.tcp, end - transport);
        assert.equal(get16(bytes, transport + TCP.checksum), foldSum(pseudo));
      }
      // FIN and CWR have packets of their own; all others of up to 64 segments are one.
      const isPlain = (train.flags & (FLAG.fin | FLAG.congestion)) === 0;
      if (isPlain && pieces.length > 1) assert.equal(packets.length, Math.ceil(pieces.length / 64));
    }),
    { numRuns: Deno.env.has("LVSD_PROOF") ? 5_000 : 150, examples: [[LOOKS_UNFINISHED]] },
  );
});

Deno.test("what does not go on where the last one ended, or is damaged, is not put together", () => {
  const segment = (
    sequence: number,
    more: { payload?: Uint8Array; sourcePort?: number; ttl?: number } = {},
  ) => {
    const packet = ipPacket({
      ...SIDES[4],
      protocol: IP_PROTOCOL.tcp,
      flags: FLAG.acknowledge,
      payload: noise(100, 5),
      ...more,
    });
    const before = checksumOf(packet, 0, 0);
    assert.equal(before, 0xffff);
    put16(packet, 26, sequence);
    put16(packet, 36, 0);
    put16(
      packet,
      36,
      checksumOf(packet, 20, packet.length, pseudoHeaderSum(packet, 12, 4, 6, packet.length - 20)),
    );
    return packet;
  };
  const damaged = segment(1_100).with(60, 1);
  const cases: [string, Uint8Array[], number][] = [
    ["in order", [segment(1_000), segment(1_100), segment(1_200)], 1],
    ["a gap", [segment(1_000), segment(1_200)], 2],
    ["another flow", [segment(1_000), segment(1_100, { sourcePort: 40_001 })], 2],
    ["another TTL", [segment(1_000), segment(1_100, { ttl: 9 })], 2],
    ["larger than the first", [segment(1_000), segment(1_100, { payload: noise(101, 5) })], 2],
    ["behind a shorter one", [segment(1_000), segment(1_100, { payload: noise(9, 5) }), segment(1_109)], 2],
    ["damaged", [segment(1_000), damaged, segment(1_200)], 3],
  ];
  for (const [what, packets, wanted] of cases) {
    assert.equal(coalesce(packets).packets.length, wanted, what);
  }
  const passed = coalesce([damaged]).packets[0];
  assert.deepEqual(
    passed,
    { offload: new Uint8Array(10), packet: damaged },
    "damage is left to the system to see",
  );
});

Deno.test("a checksum that was left to a card goes on to the system as such, with segments when it is too large", () => {
  const train: Train = {
    tunnel: { type: "ipip", port: 0, checksum: "nocsum" },
    family: 6,
    outerFamily: 6,
    payload: 1_900,
    segmentBytes: 1_000,
    flags: FLAG.push,
    id: 0,
    seed: 9,
  };
  const [large] = coalesce([superPacket(train)]).packets;
  assert.deepEqual(large, {
    offload: Uint8Array.of(1, 4, 60, 0, 1_440 & 0xff, 1_440 >> 8, 40, 0, 16, 0),
    packet: superPacket(train),
  });
  const small = superPacket({ ...train, payload: 100 });
  assert.deepEqual(coalesce([small]).packets[0]?.offload, Uint8Array.of(1, 0, 0, 0, 0, 0, 40, 0, 16, 0));
});
