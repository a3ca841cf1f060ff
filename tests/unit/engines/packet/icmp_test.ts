/**
 * ICMP errors about connections, both ways, and what is for no connection at all.
 */
import assert from "node:assert/strict";
import { get16 } from "../../../../packet/bytes.ts";
import { checksumOf } from "../../../../packet/checksum.ts";
import { IpPacket } from "../../../../packet/ip_packet.ts";
import { IpAddress } from "../../../../net/address.ts";
import { TCP_FLAG } from "../../../../net/flow.ts";
import { ipPacket, type PacketText } from "../../packet/frames.ts";
import { only, type Sent, sidesOf, Wire } from "./wire.ts";

const CLIENT = "10.1.0.10";
const VIP = "10.1.0.100";
const SERVER = "172.16.0.11";
const request: PacketText = { source: CLIENT, destination: VIP, protocol: 17, destinationPort: 53 };
const served = { at: SERVER, port: 5_353 } as const;

/** An ICMP error about a packet. */
function errorAbout(packet: Uint8Array, source: string, destination: string, rest = 0, type = 3, code = 3) {
  const head = [type, code, 0, 0, 0, 0, rest >>> 8, rest & 255];
  return ipPacket({
    source,
    destination,
    protocol: 1,
    payload: Uint8Array.of(...head, ...packet.subarray(0, 28)),
  });
}

function quotedOf({ packet }: Sent): IpPacket {
  const quoted = new IpPacket();
  assert.ok(quoted.readQuoted(packet.bytes, packet.transport + 8, packet.end));
  return quoted;
}

/** Source > destination of a view, with ports. */
function sidesOfView(view: IpPacket): string {
  const words = (at: number) => [...view.bytes.subarray(at, at + 4)].join(".");
  return `${words(view.addressesAt)}:${view.sourcePort} > ${
    words(view.addressesAt + 4)
  }:${view.destinationPort}`;
}

function assertIntact({ packet }: Sent): void {
  assert.equal(checksumOf(packet.bytes, packet.at, packet.transport), 0);
  assert.equal(checksumOf(packet.bytes, packet.transport, packet.end), 0);
}

Deno.test("a real server's ICMP error reaches the client as the virtual service's, about the client's own packet", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [served], 53);
  const forwarded = only(wire.fromClient(request));
  assert.equal(sidesOf(forwarded), `${CLIENT}.40000 > ${SERVER}.5353`);
  const inner = forwarded.packet.bytes.slice(forwarded.packet.at, forwarded.packet.end);
  const told = only(wire.fromServer(errorAbout(inner, SERVER, CLIENT)));
  assert.equal(told.link, "outside");
  assert.equal(sidesOf(told), `${VIP} > ${CLIENT}`);
  assert.equal(told.packet.ttl, 63);
  assert.equal(sidesOfView(quotedOf(told)), `${CLIENT}:40000 > ${VIP}:53`);
  assertIntact(told);
});

Deno.test("a client's ICMP error reaches the real server, about the real server's own packet", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [served], 53);
  wire.fromClient(request);
  const reply = only(
    wire.fromServer({ source: SERVER, destination: CLIENT, sourcePort: 5_353, destinationPort: 40_000 }),
  );
  assert.equal(sidesOf(reply), `${VIP}.53 > ${CLIENT}.40000`);
  const inner = reply.packet.bytes.slice(reply.packet.at, reply.packet.end);
  const told = only(wire.fromClient(errorAbout(inner, CLIENT, VIP, 1_400, 3, 4)));
  assert.equal(told.link, "inside");
  assert.equal(sidesOf(told), `${CLIENT} > ${SERVER}`);
  assert.equal(get16(told.packet.bytes, told.packet.transport + 6), 1_400);
  assert.equal(sidesOfView(quotedOf(told)), `${SERVER}:5353 > ${CLIENT}:40000`);
  assertIntact(told);
});

Deno.test("an ICMP error with a wrong checksum is not made right", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [served], 53);
  const forwarded = only(wire.fromClient(request));
  const error = errorAbout(
    forwarded.packet.bytes.slice(forwarded.packet.at, forwarded.packet.end),
    SERVER,
    CLIENT,
  );
  error[22] = (error[22] ?? 0) ^ 1;
  assert.deepEqual(wire.fromServer(error), []);
  assert.equal(wire.packets.drops.toJSON().damaged, 1);
});

Deno.test("a client's ICMP error about a DR connection goes to the real server as it is, a hop less", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER, method: "dr" }], 53);
  wire.fromClient(request);
  const reply = ipPacket({ source: VIP, destination: CLIENT, sourcePort: 53, destinationPort: 40_000 });
  const error = errorAbout(reply, CLIENT, VIP, 1_400, 3, 4);
  const told = only(wire.fromClient(error));
  assert.equal(told.link, "inside");
  assert.equal(told.packet.ttl, 63);
  assert.deepEqual(told.packet.bytes.slice(told.packet.transport), error.slice(20));
});

Deno.test("an ICMP error about nothing known is the host's, until schedule_icmp gives it a connection", () => {
  const reply = ipPacket({ source: VIP, destination: CLIENT, sourcePort: 53, destinationPort: 40_000 });
  const wire = new Wire();
  wire.serve(VIP, "udp", [served], 53);
  assert.deepEqual(wire.fromClient(errorAbout(reply, CLIENT, VIP)), []);
  assert.equal(wire.director.connectionCount, 0);
  wire.director.sysctl.schedule_icmp = 1;
  const told = only(wire.fromClient(errorAbout(reply, CLIENT, VIP)));
  assert.equal(sidesOf(told), `${CLIENT} > ${SERVER}`);
  assert.equal(sidesOfView(quotedOf(told)), `${SERVER}:5353 > ${CLIENT}:40000`);
  const [entry] = wire.director.connections();
  assert.equal(entry?.expiresMs, 3_000);
});

Deno.test("an echo request for the virtual address is answered, one for a real server goes on", () => {
  const wire = new Wire();
  const echo = Uint8Array.of(8, 0, 0, 0, 0, 1, 0, 2, 9, 9);
  const answer = only(
    wire.fromClient({ source: CLIENT, destination: VIP, protocol: 1, payload: echo, tos: 0x10 }),
  );
  assert.equal(sidesOf(answer), `${VIP} > ${CLIENT}`);
  assert.deepEqual([...answer.packet.bytes.subarray(answer.packet.transport + 4, answer.packet.end)], [
    0,
    1,
    0,
    2,
    9,
    9,
  ]);
  assert.equal(answer.packet.bytes[answer.packet.transport], 0);
  assert.deepEqual([answer.packet.ttl, answer.packet.tos], [64, 0x10]);
  assertIntact(answer);
  const passed = only(wire.fromClient({ source: CLIENT, destination: SERVER, protocol: 1, payload: echo }));
  assert.deepEqual([passed.link, passed.packet.ttl], ["inside", 63]);
});

Deno.test("a real server's stray packet goes on as it is; with nat_icmp_send it is told, but for a reset", () => {
  const stray = {
    source: SERVER,
    destination: CLIENT,
    protocol: 6,
    sourcePort: 8_080,
    destinationPort: 40_000,
  } as const;
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: SERVER, port: 8_080 }]);
  const passed = only(wire.fromServer({ ...stray, flags: TCP_FLAG.ack }));
  assert.deepEqual([passed.link, sidesOf(passed), passed.packet.ttl], [
    "outside",
    `${SERVER}.8080 > ${CLIENT}.40000`,
    63,
  ]);
  wire.director.sysctl.nat_icmp_send = 1;
  const told = only(wire.fromServer({ ...stray, flags: TCP_FLAG.ack }));
  assert.deepEqual([told.link, sidesOf(told)], ["inside", `172.16.0.1 > ${SERVER}`]);
  assert.deepEqual([told.packet.bytes[told.packet.transport], quotedOf(told).ttl], [3, 63]);
  assert.equal(only(wire.fromServer({ ...stray, flags: TCP_FLAG.rst })).link, "outside");
  assert.equal(only(wire.fromServer({ ...stray, sourcePort: 9_090, flags: TCP_FLAG.ack })).link, "outside");
});

const STRAYS: readonly [
  what: string,
  flags: number,
  answer: number | undefined,
  sequence: number,
  ack: number,
][] = [
  ["ACK", TCP_FLAG.ack, TCP_FLAG.rst, 2_000, 0],
  ["FIN", TCP_FLAG.fin, TCP_FLAG.rst | TCP_FLAG.ack, 0, 1_001],
  ["no flag", 0, TCP_FLAG.rst | TCP_FLAG.ack, 0, 1_000],
  ["RST", TCP_FLAG.rst, undefined, 0, 0],
];

for (const [what, flags, answer, sequence, ack] of STRAYS) {
  Deno.test(`a client's stray ${what} is answered as a host does`, () => {
    const wire = new Wire();
    wire.serve(VIP, "tcp", [{ at: SERVER }]);
    const sent = wire.fromClient({ source: CLIENT, destination: VIP, protocol: 6, flags });
    if (answer === undefined) return assert.deepEqual(sent, []);
    const { packet, text } = only(sent);
    assert.equal(packet.tcpFlags, answer, text);
    assert.equal(
      get16(packet.bytes, packet.transport + 4) * 65_536 + get16(packet.bytes, packet.transport + 6),
      sequence,
    );
    assert.equal(
      get16(packet.bytes, packet.transport + 8) * 65_536 + get16(packet.bytes, packet.transport + 10),
      ack,
    );
    assert.deepEqual([get16(packet.bytes, packet.at + 4), packet.dontFragment, packet.ttl], [0, true, 64]);
  });
}

Deno.test("a client is told of six errors at once, then of one a second", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [], 53);
  const told = () => wire.fromClient({ ...request, source: CLIENT }).length;
  assert.deepEqual(Array.from({ length: 8 }, told), [1, 1, 1, 1, 1, 1, 0, 0]);
  wire.advance(1_000);
  assert.deepEqual([told(), told()], [1, 0]);
  assert.equal(
    wire.fromClient({ ...request, source: "10.1.0.77" }).length,
    1,
    "another client has its own six",
  );
});

Deno.test("all clients together are told of fifty errors at once; of a packet's size everybody is told", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [], 53);
  const clients = Array.from({ length: 60 }, (_, i) => `10.1.0.${i + 100}`).filter((it) => it !== VIP);
  for (const client of clients) wire.knows(wire.outside, client, "02:00:00:00:c0:01");
  const told = clients.map((source) => wire.fromClient({ ...request, source }).length);
  assert.equal(told.reduce((sum, it) => sum + it, 0), 50);
  wire.serve(VIP, "tcp", [{ at: SERVER }]);
  wire.inside.mtu = 1_400;
  const big = ipPacket({
    source: CLIENT,
    destination: VIP,
    protocol: 6,
    payload: new Uint8Array(1_400),
    fragment: 0x4000,
  });
  for (let i = 0; i < 9; i++) assert.match(only(wire.fromClient(big.slice())).text, /icmp 3\/4/);
});

Deno.test("a reply that is too large for the client's side: the real server is told, or it is cut", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [served], 53);
  wire.fromClient(request);
  wire.outside.mtu = 1_400;
  const ends = { source: SERVER, destination: CLIENT, sourcePort: 5_353, destinationPort: 40_000 };
  const reply = (fragment: number) => wire.fromServer({ ...ends, payload: new Uint8Array(1_400), fragment });
  const told = only(reply(0x4000));
  assert.deepEqual([told.link, get16(told.packet.bytes, told.packet.transport + 6)], ["inside", 1_400]);
  assert.equal(quotedOf(told).ttl, 64, "found too large before the hop was spent (ip_forward)");
  assert.deepEqual(reply(0).map(({ link }) => link), ["outside", "outside"]);
});

Deno.test("errors of a router on the way to a tunnel become errors to the client", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER, method: "tun" }], 53);
  const big = ipPacket({ ...request, payload: new Uint8Array(1_400), fragment: 0x4000 });
  const outer = only(wire.fromClient(big));
  const tunnelled = outer.packet.bytes.slice(outer.packet.at, outer.packet.end);
  const head = Uint8Array.of(3, 4, 0, 0, 0, 0, 1_300 >>> 8, 1_300 & 255);
  const payload = Uint8Array.of(...head, ...tunnelled.subarray(0, 60));
  const told = only(wire.fromServer({ source: SERVER, destination: "172.16.0.1", protocol: 1, payload }));
  assert.equal(sidesOf(told), `${VIP} > ${CLIENT}`);
  assert.equal(get16(told.packet.bytes, told.packet.transport + 6), 1_280);
  // As the kernel counts: the 40 bytes quoted of the client's packet as output, and the error itself on its way through OUTPUT.
  const { inPackets, outPackets, outBytes } = wire.director.totals();
  assert.deepEqual([inPackets, outPackets, outBytes], [1, 2, 40 + 68]);
  // Learned: the next large packet is refused at once.
  const refused = only(wire.fromClient(big));
  assert.equal(refused.link, "outside");
  assert.equal(get16(refused.packet.bytes, refused.packet.transport + 6), 1_280);
});

Deno.test("an error about a tunnel that no client has to hear of is swallowed, and counted nowhere", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER, method: "tun" }], 53);
  const outer = only(wire.fromClient({ ...request, payload: new Uint8Array(1_400) }));
  const tunnelled = outer.packet.bytes.slice(outer.packet.at, outer.packet.at + 60);
  const payload = Uint8Array.of(3, 4, 0, 0, 0, 0, 1_300 >>> 8, 1_300 & 255, ...tunnelled);
  // The client's packet may be fragmented, so nobody has to send smaller ones.
  assert.deepEqual(
    wire.fromServer({ source: SERVER, destination: "172.16.0.1", protocol: 1, payload }),
    [],
  );
  assert.deepEqual([wire.director.totals().inPackets, wire.director.totals().outPackets], [1, 0]);
});

Deno.test("what is learned about the way to an IPv4 server is not believed of an IPv6 one", () => {
  const wire = new Wire();
  // The IPv6 server's first word is the IPv4 server's address.
  wire.serve(VIP, "udp", [{ at: SERVER, method: "tun" }], 53);
  wire.serve("fd00:1::100", "udp", [{ at: "ac10:b::1" }], 53);
  const outer = only(
    wire.fromClient(ipPacket({ ...request, payload: new Uint8Array(1_400), fragment: 0x4000 })),
  );
  const tunnelled = outer.packet.bytes.slice(outer.packet.at, outer.packet.at + 60);
  const payload = Uint8Array.of(3, 4, 0, 0, 0, 0, 1_300 >>> 8, 1_300 & 255, ...tunnelled);
  only(wire.fromServer({ source: SERVER, destination: "172.16.0.1", protocol: 1, payload }));
  wire.packets.configure([wire.outside, wire.inside], [
    { link: wire.inside, address: IpAddress.parse("ac10:b::2"), prefixLength: 64 },
    { link: wire.outside, address: IpAddress.parse("fd00:1::100"), prefixLength: 128 },
  ]);
  wire.knows(wire.inside, "ac10:b::1", "02:00:00:00:00:11");
  const six = { source: "fd00:1::10", destination: "fd00:1::100", destinationPort: 53 };
  assert.equal(only(wire.fromClient({ ...six, payload: new Uint8Array(1_400) })).link, "inside");
});

Deno.test("errors that IPVS knows go with their connection, both ways: unreachable, quench, time; others are not its business", () => {
  for (const [type, isKnown] of [[3, true], [4, true], [11, true], [5, false], [12, false]] as const) {
    const wire = new Wire();
    wire.serve(VIP, "udp", [served], 53);
    const asked = only(wire.fromClient(request));
    const inner = asked.packet.bytes.slice(asked.packet.at, asked.packet.end);
    const outward = wire.fromServer(errorAbout(inner, SERVER, CLIENT, 0, type, 0));
    assert.equal(sidesOf(only(outward)), `${isKnown ? VIP : SERVER} > ${CLIENT}`, `type ${type}`);
    const reply = ipPacket({ source: VIP, destination: CLIENT, sourcePort: 53, destinationPort: 40_000 });
    const inward = wire.fromClient(errorAbout(reply, CLIENT, VIP, 0, type, 0));
    assert.deepEqual(inward.map(sidesOf), isKnown ? [`${CLIENT} > ${SERVER}`] : [], `type ${type}`);
  }
});

Deno.test("a damaged error about a DR connection goes on as it is, and counts", () => {
  const wire = new Wire();
  const service = wire.serve(VIP, "udp", [{ at: SERVER, method: "dr" }], 53);
  wire.fromClient(request);
  const reply = ipPacket({ source: VIP, destination: CLIENT, sourcePort: 53, destinationPort: 40_000 });
  const error = errorAbout(reply, CLIENT, VIP, 1_400, 3, 4);
  error[22] = (error[22] ?? 0) ^ 1;
  const told = only(wire.fromClient(error));
  assert.deepEqual(told.packet.bytes.slice(told.packet.transport), error.slice(20));
  const { inPackets, inBytes } = wire.director.serviceView(service).statistics;
  assert.deepEqual([inPackets, inBytes], [2, 28 + error.length]);
});

Deno.test("IPv6 errors come six at once, then four a second where the route is a /64, and those about size always", () => {
  const wire = new Wire();
  wire.serve("fd00:1::100", "udp", [], 53);
  const asked: PacketText = { source: "fd00:1::10", destination: "fd00:1::100", destinationPort: 53 };
  const told = (count: number) => Array.from({ length: count }, () => wire.fromClient(asked).length);
  assert.deepEqual(told(8), [1, 1, 1, 1, 1, 1, 0, 0]);
  wire.advance(250);
  assert.deepEqual(told(2), [1, 0], "half the interval for each 32 bits less than 128");
  wire.serve("fd00:1::100", "tcp", [{ at: "fd00:2::11" }]);
  wire.inside.mtu = 1_280;
  const big: PacketText = { ...asked, protocol: 6, destinationPort: 80, payload: new Uint8Array(1_300) };
  for (let i = 0; i < 9; i++) assert.equal(only(wire.fromClient(big)).packet.bytes[54], 2, "packet too big");
});
