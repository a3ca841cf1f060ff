/**
 * A packet's way: rules, marks, neighbours, fragments, VLANs, what is not for the director, and calls over UDP.
 */
import assert from "node:assert/strict";
import { HEADROOM_BYTES } from "../../../../engines/packet/passage.ts";
import { PRIORITY } from "../../../../hooks/hook.ts";
import type { Chain } from "../../../../hooks/rule.ts";
import { RuleSet } from "../../../../hooks/rule_set.ts";
import { IpAddress } from "../../../../net/address.ts";
import { TCP_FLAG } from "../../../../net/flow.ts";
import { Prefix } from "../../../../net/prefix.ts";
import { SeededRandom } from "../../../../net/random.ts";
import { get16 } from "../../../../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../../../../packet/checksum.ts";
import { sealIpv4 } from "../../../../packet/ipv4.ts";
import { ipPacket, type PacketText } from "../../packet/frames.ts";
import { MAC, only, type Sent, sidesOf, Wire } from "./wire.ts";

const CLIENT = "10.1.0.10";
const VIP = "10.1.0.100";
const SERVER = "172.16.0.11";
const syn: PacketText = { source: CLIENT, destination: VIP, protocol: 6, flags: TCP_FLAG.syn };

function withChains(wire: Wire, ...chains: Chain[]): void {
  wire.hooks.setRules(
    new RuleSet({
      chains,
      names: { services: [], interfaces: [{ name: "outside", index: 1 }, { name: "inside", index: 2 }] },
      random: new SeededRandom(3),
      connections: { count: () => 0 },
      onLog: () => {},
    }),
  );
}

function assertUdpIntact({ packet }: Sent): void {
  const { bytes, transport, end } = packet;
  const pseudo = pseudoHeaderSum(bytes, packet.addressesAt, packet.addressBytes, 17, end - transport);
  assert.equal(checksumOf(bytes, transport, end, pseudo), 0);
}

Deno.test("a rule on INPUT drops before the director is asked, one that rejects says so", () => {
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: SERVER }]);
  const base = { hook: "input", priority: PRIORITY.filter, policy: "accept" } as const;
  const source = [Prefix.parse("10.1.0.10")];
  withChains(wire, { name: "in", base, rules: [{ match: { source }, target: { kind: "drop" } }] });
  assert.deepEqual(wire.fromClient(syn), []);
  assert.deepEqual([wire.director.connectionCount, wire.packets.drops.toJSON().rule], [0, 1]);
  withChains(wire, {
    name: "in",
    base,
    rules: [{ match: { source }, target: { kind: "reject", with: "tcp-reset" } }],
  });
  assert.equal(only(wire.fromClient(syn)).packet.tcpFlags, TCP_FLAG.rst | TCP_FLAG.ack);
  withChains(wire, {
    name: "in",
    base,
    rules: [{ match: { source }, target: { kind: "reject", with: "icmp-admin-prohibited" } }],
  });
  const told = only(wire.fromClient(syn));
  assert.deepEqual([...told.packet.bytes.subarray(told.packet.transport, told.packet.transport + 2)], [
    3,
    13,
  ]);
});

Deno.test("rules see interfaces: FORWARD by where a packet comes in and leaves", () => {
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: SERVER, port: 8_080 }]);
  const base = { hook: "forward", priority: PRIORITY.filter, policy: "accept" } as const;
  const match = { inInterface: ["inside"], outInterface: ["outside"] };
  withChains(wire, { name: "fwd", base, rules: [{ match, target: { kind: "drop" } }] });
  assert.equal(wire.fromClient(syn).length, 1, "requests leave by OUTPUT, not FORWARD");
  const reply = {
    source: SERVER,
    destination: CLIENT,
    protocol: 6,
    sourcePort: 8_080,
    destinationPort: 40_000,
  } as const;
  assert.deepEqual(wire.fromServer({ ...reply, flags: TCP_FLAG.syn | TCP_FLAG.ack }), []);
});

Deno.test("a mark set on PREROUTING leads to the service of the mark, whatever the address", () => {
  const wire = new Wire();
  const service = wire.director.addService({ key: { mark: 7, family: 4 }, scheduler: "rr" }, wire.nowMs);
  const address = IpAddress.parse(SERVER);
  wire.director.addDestination(service, { address, port: 0, method: "dr", weight: 1 }, wire.nowMs);
  const base = { hook: "prerouting", priority: PRIORITY.mangle, policy: "accept" } as const;
  const match = { destination: [Prefix.parse("203.0.113.0/24")] };
  const target = { kind: "mark", mark: { value: 7, mask: 0xffff_ffff } } as const;
  withChains(wire, { name: "marks", base, rules: [{ match, target }] });
  const sent = only(wire.fromClient({ ...syn, destination: "203.0.113.9" }));
  assert.deepEqual([sent.link, sidesOf(sent), sent.packet.ttl], [
    "inside",
    `${CLIENT}.40000 > 203.0.113.9.80`,
    63,
  ]);
});

Deno.test("cache_bypass: packets of a mark without a server go on to their own address, those for the host are refused", () => {
  for (
    const [bypass, destination, text] of [
      [0, SERVER, /^outside .* icmp 3\/3 172\.16\.0\.11 > /],
      [1, SERVER, /^inside .* tcp 10\.1\.0\.10\.40000 > 172\.16\.0\.11\.80 /],
      [1, VIP, /^outside .* icmp 3\/3 10\.1\.0\.100 > /],
    ] as const
  ) {
    const wire = new Wire();
    wire.director.sysctl.cache_bypass = bypass;
    wire.director.addService({ key: { mark: 7, family: 4 }, scheduler: "rr" }, wire.nowMs);
    const base = { hook: "prerouting", priority: PRIORITY.mangle, policy: "accept" } as const;
    const target = { kind: "mark", mark: { value: 7, mask: 0xffff_ffff } } as const;
    withChains(wire, { name: "marks", base, rules: [{ match: {}, target }] });
    assert.match(only(wire.fromClient({ ...syn, destination })).text, text);
  }
});

Deno.test("a neighbour that is not known is asked for, and what waited goes to it in order", () => {
  const wire = new Wire({ knowsNeighbours: false });
  wire.serve(VIP, "udp", [{ at: SERVER, method: "dr" }], 53);
  const question = only(
    wire.fromClient({ source: CLIENT, destination: VIP, destinationPort: 53, payload: Uint8Array.of(1) }),
  );
  assert.match(question.text, /^inside ARP 1 02:00:00:00:d0:01 > ff:ff:ff:ff:ff:ff/);
  assert.deepEqual(
    wire.fromClient({ source: CLIENT, destination: VIP, destinationPort: 53, payload: Uint8Array.of(2) }),
    [],
    "asked once",
  );
  const answer = question.bytes.slice();
  // The reply: sender and target change places, and the server says where it is.
  answer.set(question.bytes.subarray(6, 12), 0);
  answer.set([2, 0, 0, 0, 0, 0x11], 6);
  answer[21] = 2;
  answer.set([2, 0, 0, 0, 0, 0x11, 172, 16, 0, 11], 22);
  answer.set([...question.bytes.subarray(6, 12), 172, 16, 0, 1], 32);
  const sent = wire.receiveFrame(wire.inside, answer);
  assert.deepEqual(sent.map(({ bytes }) => bytes.at(-1)), [1, 2]);
  assert.ok(sent.every(({ text }) => text.includes("02:00:00:00:d0:01 > 02:00:00:00:00:11")));
});

Deno.test("an ARP question for the virtual address is answered, one for somebody else is not", () => {
  const wire = new Wire();
  const ask = (last: number) =>
    Uint8Array.of(
      ...[255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0xc0, 0, 8, 6],
      ...[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0xc0, 0, 10, 1, 0, 10, 0, 0, 0, 0, 0, 0, 10, 1, 0, last],
    );
  const answer = only(wire.receiveFrame(wire.outside, ask(100)));
  assert.deepEqual([...answer.bytes.subarray(20, 32)], [0, 2, 2, 0, 0, 0, 0xd0, 0, 10, 1, 0, 100]);
  assert.deepEqual(wire.receiveFrame(wire.outside, ask(101)), []);
});

Deno.test("what is not for the engine's Ethernet address, or says it comes from the director, goes nowhere", () => {
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: SERVER }]);
  assert.deepEqual(wire.receive(wire.outside, syn, MAC.client, "02:00:00:00:99:99"), []);
  assert.deepEqual(wire.fromServer({ ...syn, source: VIP, destination: CLIENT }), []);
  const { foreign, martian } = wire.packets.drops.toJSON();
  assert.deepEqual([foreign, martian], [1, 1]);
});

Deno.test("a request in a frame to everybody is nobody's, though it names the virtual address", () => {
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: SERVER }]);
  assert.deepEqual(wire.receive(wire.outside, syn, MAC.client, "ff:ff:ff:ff:ff:ff"), []);
  assert.equal(wire.director.connectionCount, 0);
  assert.equal(only(wire.fromClient(syn)).link, "inside");
});

Deno.test("NAT leads nobody from outside to a loopback address, and nobody is told; to the director's own it does", () => {
  for (const [at, answers] of [["127.0.0.1", 0], ["172.16.0.1", 1]] as const) {
    const wire = new Wire();
    wire.serve(VIP, "tcp", [{ at }]);
    assert.equal(wire.fromClient(syn).length, answers);
    assert.equal(wire.packets.drops.toJSON().martian, 1 - answers);
    // Nor does an ICMP error about such a connection get there.
    const about = ipPacket({
      source: VIP,
      destination: CLIENT,
      protocol: 6,
      sourcePort: 80,
      destinationPort: 40_000,
    });
    const payload = Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 0, ...about.subarray(0, 28));
    assert.deepEqual(wire.fromClient({ source: CLIENT, destination: VIP, protocol: 1, payload }), []);
    assert.equal(wire.packets.drops.toJSON().martian, 2 - 2 * answers);
  }
});

Deno.test("a request whose header is cut short is dropped, and nobody is told", () => {
  for (const [protocol, bytes] of [[6, 19], [17, 7]] as const) {
    const wire = new Wire();
    wire.serve(VIP, protocol === 6 ? "tcp" : "udp", [{ at: SERVER }]);
    const whole = ipPacket({ source: CLIENT, destination: VIP, protocol });
    const cut = whole.slice(0, 20 + bytes);
    cut[3] = cut.length;
    sealIpv4(cut, 0);
    assert.deepEqual(wire.fromClient(cut), []);
    assert.deepEqual([wire.director.connectionCount, wire.packets.drops.toJSON().director], [0, 1]);
  }
});

Deno.test("a datagram without a checksum leaves NAT with one", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER, port: 5_353 }], 53);
  const bytes = ipPacket({
    source: CLIENT,
    destination: VIP,
    destinationPort: 53,
    payload: Uint8Array.of(1, 2, 3),
  });
  bytes[26] = 0;
  bytes[27] = 0;
  assertUdpIntact(only(wire.fromClient(bytes)));
});

Deno.test("a UDP checksum that comes out as 0 leaves NAT as 65535, whether it was changed or made", () => {
  for (const hasChecksum of [true, false]) {
    const wire = new Wire();
    wire.serve(VIP, "udp", [{ at: SERVER, port: 5_353 }], 53);
    const checksumWith = (word: number) => {
      const payload = Uint8Array.of(word >>> 8, word & 255);
      const bytes = ipPacket({ source: CLIENT, destination: VIP, destinationPort: 53, payload });
      if (!hasChecksum) bytes.fill(0, 26, 28);
      const { packet } = only(wire.fromClient(bytes));
      return get16(packet.bytes, packet.transport + 6);
    };
    // What is missing to all ones, in the payload, makes the sum all ones and its complement 0.
    assert.equal(checksumWith(checksumWith(0)), 0xffff, hasChecksum ? "changed" : "made");
  }
});

Deno.test("a server without a route: the client is told host unreachable, the entry stays", () => {
  for (const method of ["nat", "dr", "tun"] as const) {
    const wire = new Wire();
    wire.serve(VIP, "tcp", [{ at: "203.0.113.9", method }]);
    assert.match(only(wire.fromClient(syn)).text, /^outside .* icmp 3\/1 10\.1\.0\.100 > 10\.1\.0\.10 /);
    assert.equal([...wire.director.connections()][0]?.state, "SYN_RECV");
  }
});

Deno.test("sip: a call stays with its server, and what is no call goes nowhere", () => {
  const wire = new Wire();
  const key = { protocol: 17, address: IpAddress.parse(VIP), port: 5_060 };
  const persistence = { timeoutMs: 300_000, prefixLength: 0 };
  const service = wire.director.addService(
    { key, scheduler: "rr", persistence, persistenceEngine: "sip" },
    wire.nowMs,
  );
  for (const at of [SERVER, "172.16.0.12", "172.16.0.13"]) {
    wire.director.addDestination(service, {
      address: IpAddress.parse(at),
      port: 5_060,
      method: "nat",
      weight: 1,
    }, wire.nowMs);
  }
  const call = (id: string, sourcePort: number) =>
    wire.fromClient({
      source: CLIENT,
      destination: VIP,
      sourcePort,
      destinationPort: 5_060,
      payload: new TextEncoder().encode(`INVITE sip:a@b SIP/2.0\r\nCall-ID: ${id}\r\n\r\n`),
    }).map((it) => sidesOf(it).split(" > ")[1]);
  const [first] = call("one", 40_001);
  const [second] = call("two", 40_002);
  assert.notEqual(second, first);
  assert.deepEqual([call("one", 40_003), call("two", 40_004)], [[first], [second]]);
  assert.deepEqual(
    wire.fromClient({
      source: CLIENT,
      destination: VIP,
      sourcePort: 40_005,
      destinationPort: 5_060,
      payload: Uint8Array.of(1),
    }),
    [],
  );
});

Deno.test("sip: what a real server says of itself leaves as the service's, with an entry or as one packet", () => {
  for (const onePacket of [false, true]) {
    const wire = new Wire();
    const key = { protocol: 17, address: IpAddress.parse(VIP), port: 5_060 };
    const persistence = { timeoutMs: 300_000, prefixLength: 32 };
    const spec = { key, scheduler: "rr", persistence, persistenceEngine: "sip", onePacket } as const;
    const service = wire.director.addService(spec, wire.nowMs);
    const address = IpAddress.parse(SERVER);
    wire.director.addDestination(service, { address, port: 5_070, method: "nat", weight: 1 }, wire.nowMs);
    const payload = new TextEncoder().encode("BYE sip:a@b SIP/2.0\r\nCall-ID: one\r\n\r\n");
    const ends = { source: SERVER, destination: CLIENT, sourcePort: 5_070, destinationPort: 5_060 };
    const said = only(wire.fromServer({ ...ends, payload }));
    assert.equal(sidesOf(said), `${VIP}.5060 > ${CLIENT}.5060`);
    assertUdpIntact(said);
    assert.equal(wire.director.connectionCount, onePacket ? 0 : 1);
  }
});

Deno.test("sip: what a real server says to the director itself is no call", () => {
  const wire = new Wire();
  wire.director.sysctl.nat_icmp_send = 1;
  const key = { protocol: 17, address: IpAddress.parse(VIP), port: 5_060 };
  const persistence = { timeoutMs: 300_000, prefixLength: 32 };
  const spec = { key, scheduler: "rr", persistence, persistenceEngine: "sip" } as const;
  const service = wire.director.addService(spec, wire.nowMs);
  const address = IpAddress.parse(SERVER);
  wire.director.addDestination(service, { address, port: 5_070, method: "nat", weight: 1 }, wire.nowMs);
  const payload = new TextEncoder().encode("BYE sip:a@b SIP/2.0\r\nCall-ID: one\r\n\r\n");
  const ends = { source: SERVER, sourcePort: 5_070, destinationPort: 5_060, payload };
  assert.match(only(wire.fromServer({ ...ends, destination: "172.16.0.1" })).text, /icmp 3\/3/);
  assert.equal(wire.director.connectionCount, 0);
  only(wire.fromServer({ ...ends, destination: CLIENT }));
  assert.equal(wire.director.connectionCount, 1);
});

Deno.test("a datagram whose checksum is left to a network card leaves in fragments with a whole one", () => {
  for (const method of ["nat", "dr"] as const) {
    const wire = new Wire();
    wire.inside.mtu = 1_400;
    wire.serve(VIP, "udp", [{ at: SERVER, method }], 53);
    const bytes = ipPacket({
      source: CLIENT,
      destination: VIP,
      destinationPort: 53,
      payload: new Uint8Array(1_450).fill(7),
    });
    // As the client's kernel leaves it: the pseudo-header's sum alone.
    const sum = pseudoHeaderSum(bytes, 12, 4, 17, bytes.length - 20);
    bytes.set([sum >>> 8, sum], 26);
    const pieces = wire.receivePartial(wire.outside, bytes, MAC.client, MAC.outside);
    assert.equal(pieces.length, 2);
    const datagram = new Uint8Array(bytes.length - 20);
    for (const { packet } of pieces) {
      datagram.set(packet.bytes.subarray(packet.transport, packet.end), packet.fragmentOffset);
    }
    const header = pieces[0]?.packet;
    assert.ok(header !== undefined);
    const pseudo = pseudoHeaderSum(header.bytes, header.addressesAt, 4, 17, datagram.length);
    assert.equal(checksumOf(datagram, 0, datagram.length, pseudo), 0, method);
  }
});

Deno.test("a request of the host itself to a server on the host passes the director once", () => {
  for (const method of ["nat", "dr"] as const) {
    const wire = new Wire();
    const service = wire.serve(VIP, "tcp", [{ at: "10.1.0.1", method }]);
    const bytes = ipPacket({ ...syn, source: "10.1.0.1" });
    const buffer = new Uint8Array(HEADROOM_BYTES + bytes.length);
    buffer.set(bytes, HEADROOM_BYTES);
    wire.packets.sendFromHost(buffer, HEADROOM_BYTES, buffer.length, wire.nowMs);
    const { connections, inPackets } = wire.director.serviceView(service).statistics;
    assert.deepEqual([connections, inPackets], [1, 1], method);
  }
});
