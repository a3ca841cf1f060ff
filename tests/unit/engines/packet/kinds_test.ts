/**
 * Kinds of traffic that no given recording holds: IP options of the sender in every mode, used ports again, services of every
 * port, quiesced templates, errors that open connections, strays, and every scheduler that has nobody.
 */
import assert from "node:assert/strict";
import type { DestinationSpec } from "../../../../director/specs.ts";
import { IpAddress } from "../../../../net/address.ts";
import { PROTOCOL, TCP_FLAG } from "../../../../net/flow.ts";
import { get16 } from "../../../../packet/bytes.ts";
import { checksumOf, pseudoHeaderSum } from "../../../../packet/checksum.ts";
import { IpPacket } from "../../../../packet/ip_packet.ts";
import { SCHEDULER_NAMES } from "../../../../schedulers/registry.ts";
import { ipPacket, type PacketText } from "../../packet/frames.ts";
import { only, type Sent, sidesOf, Wire } from "./wire.ts";

const CLIENT = "10.1.0.10";
const VIP = "10.1.0.100";
const SERVERS = ["172.16.0.11", "172.16.0.12", "172.16.0.13"] as const;
const DONT_FRAGMENT = 0x4000;
const { syn, ack, fin, rst } = TCP_FLAG;
const datagram: PacketText = { source: CLIENT, destination: VIP, destinationPort: 53 };
const segment: PacketText = { source: CLIENT, destination: VIP, protocol: 6, flags: syn };

const METHODS: readonly [name: string, spec: Partial<DestinationSpec>, overhead: number][] = [
  ["nat", { method: "nat", port: 5_353 }, 0],
  ["dr", { method: "dr" }, 0],
  ["tun", { method: "tun" }, 20],
  ["gre", { method: "tun", tunnel: { type: "gre", port: 0, checksum: "nocsum" } }, 24],
  ["gue", { method: "tun", tunnel: { type: "gue", port: 6_080, checksum: "nocsum" } }, 32],
];

/** What a tunnel packet carries; the packet itself when there is no tunnel. */
function innerOf({ packet }: Sent, overhead: number): IpPacket {
  const inner = new IpPacket();
  assert.ok(inner.read(packet.bytes, packet.at + overhead, packet.end));
  return inner;
}

function quotedOf({ packet }: Sent): IpPacket {
  const quoted = new IpPacket();
  assert.ok(quoted.readQuoted(packet.bytes, packet.transport + 8, packet.end));
  return quoted;
}

for (const [name, spec, overhead] of METHODS) {
  Deno.test(`${name}: TOS, TTL and DF of the sender`, () => {
    const wire = new Wire();
    wire.serve(VIP, "udp", [{ at: SERVERS[0], ...spec }], 53);
    const send = (more: Partial<PacketText>) => only(wire.fromClient({ ...datagram, ...more }));
    const marked = send({ tos: 0xb9, ttl: 40, fragment: DONT_FRAGMENT });
    assert.deepEqual([marked.packet.tos, marked.packet.ttl, marked.packet.dontFragment], [0xb9, 39, true]);
    const { tos, ttl } = innerOf(marked, overhead);
    assert.deepEqual([tos, ttl], [0xb9, 39]);
    if (overhead > 0) assert.equal(get16(marked.packet.bytes, marked.packet.at + 4), 0, "id beside DF");
    assert.equal(send({ tos: 0xb9 }).packet.dontFragment, false);
    const congested = send({ tos: 0x03 });
    assert.equal(congested.packet.tos, overhead > 0 ? 0x02 : 0x03, "outer ECN: full functionality");
    assert.equal(innerOf(congested, overhead).tos, 0x03);
    assert.equal(innerOf(send({ ttl: 2 }), overhead).ttl, 1);
    const died = send({ ttl: 1, tos: 0xb9 });
    assert.deepEqual([died.link, sidesOf(died), died.packet.ttl], ["outside", `${VIP} > ${CLIENT}`, 64]);
    assert.deepEqual([died.packet.tos, died.packet.bytes[died.packet.transport]], [0xd8, 11]);
    assert.equal(quotedOf(died).ttl, 1);
  });
}

/** Where a client's segments go: the real server's address, or its count of strays' answers. */
function goesTo(sent: readonly Sent[]): string {
  return sidesOf(only(sent)).split(" > ")[1] ?? "";
}

const REUSE: readonly [method: "nat" | "dr", mode: number, isMoved: boolean][] = [
  ["nat", 0, false],
  ["nat", 1, true],
  ["nat", 2, true],
  ["dr", 0, false],
  ["dr", 1, false],
  ["dr", 2, true],
];

for (const [method, mode, isMoved] of REUSE) {
  Deno.test(`${method}: a port used again with conn_reuse_mode ${mode} ${isMoved ? "is decided anew" : "stays"}`, () => {
    const wire = new Wire();
    wire.director.sysctl.conn_reuse_mode = mode;
    const service = wire.serve(VIP, "tcp", SERVERS.map((at) => ({ at, method })));
    const conns = () =>
      wire.director.destinationViews(service).map((it) => it.activeConns + it.inactiveConns).join(" ");
    wire.fromClient(segment);
    const before = conns();
    const [at] = [...wire.director.connections()].map((it) => String(it.destination.address));
    const answer: PacketText = { source: at ?? "", destination: CLIENT, protocol: 6, sourcePort: 80 };
    const reply = (flags: number) =>
      method === "nat" && wire.fromServer({ ...answer, destinationPort: 40_000, flags });
    reply(syn | ack);
    wire.fromClient({ ...segment, flags: ack });
    wire.fromClient({ ...segment, flags: fin | ack });
    reply(fin | ack);
    wire.fromClient({ ...segment, flags: ack });
    const [entry] = wire.director.connections();
    assert.equal(entry?.state, method === "nat" ? "TIME_WAIT" : "FIN_WAIT");
    assert.equal(only(wire.fromClient(segment)).link, "inside");
    assert.equal(conns() !== before, isMoved);
    assert.equal(wire.director.connectionCount, 1);
  });
}

/** A persistent service on rr with all three servers. */
function persistent(wire: Wire, port: number): number {
  const key = { protocol: PROTOCOL.tcp, address: IpAddress.parse(VIP), port };
  const persistence = { timeoutMs: 300_000, prefixLength: 32 };
  const service = wire.director.addService({ key, scheduler: "rr", persistence }, wire.nowMs);
  for (const at of SERVERS) {
    const address = IpAddress.parse(at);
    wire.director.addDestination(service, { address, port, method: "nat", weight: 1 }, wire.nowMs);
  }
  return service;
}

Deno.test("a service of every port: a client's connections to any port go to one server, port kept", () => {
  const wire = new Wire();
  persistent(wire, 0);
  const ask = (sourcePort: number, destinationPort: number) =>
    goesTo(wire.fromClient({ ...segment, sourcePort, destinationPort }));
  const [server] = ask(40_000, 80).split(".80");
  assert.deepEqual([ask(40_001, 8_080), ask(40_002, 443)], [`${server}.8080`, `${server}.443`]);
  const templates = [...wire.director.connections()].filter((it) => it.isTemplate);
  assert.deepEqual(templates.map((it) => [it.virtual.port, it.destination.port]), [[0, 0]]);
});

for (const quiescent of [0, 1]) {
  Deno.test(`a template whose server is quiesced, expire_quiescent_template ${quiescent}`, () => {
    const wire = new Wire();
    wire.director.sysctl.expire_quiescent_template = quiescent;
    const service = persistent(wire, 80);
    const first = goesTo(wire.fromClient(segment));
    const bound = wire.director.destinationViews(service).find((it) => first.startsWith(String(it.address)));
    assert.ok(bound !== undefined);
    wire.director.editDestination(
      bound.handle,
      { address: bound.address, port: 80, method: "nat", weight: 0 },
      wire.nowMs,
    );
    assert.equal(goesTo(wire.fromClient({ ...segment, flags: ack })), first, "what lives goes on");
    const next = goesTo(wire.fromClient({ ...segment, sourcePort: 40_001 }));
    assert.equal(next === first, quiescent === 0);
  });
}

/** An ICMP error of the client about a reply that it never got. */
function errorAbout(reply: Uint8Array): Uint8Array {
  const payload = Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 0x78, ...reply.subarray(0, 28));
  return ipPacket({ source: CLIENT, destination: VIP, protocol: 1, payload });
}

Deno.test("schedule_icmp: an error about an unknown TCP connection opens one, also with DR; with nobody it is dropped", () => {
  const reply = ipPacket({
    source: VIP,
    destination: CLIENT,
    protocol: 6,
    sourcePort: 80,
    destinationPort: 40_000,
  });
  for (const method of ["nat", "dr"] as const) {
    const wire = new Wire();
    wire.director.sysctl.schedule_icmp = 1;
    wire.serve(VIP, "tcp", [{ at: SERVERS[0], method }]);
    const told = only(wire.fromClient(errorAbout(reply)));
    assert.equal(sidesOf(told), `${CLIENT} > ${method === "nat" ? SERVERS[0] : VIP}`);
    assert.deepEqual([told.link, told.packet.ttl], ["inside", 63]);
    const [entry] = wire.director.connections();
    assert.deepEqual([entry?.state, entry?.expiresMs], ["NONE", 3_000]);
  }
  const wire = new Wire();
  wire.director.sysctl.schedule_icmp = 1;
  wire.serve(VIP, "tcp", []);
  assert.deepEqual(wire.fromClient(errorAbout(reply)), []);
});

Deno.test("sloppy_tcp: strays open connections in the state that they tell of, a reset none", () => {
  for (
    const [flags, state] of [[ack, "ESTABLISHED"], [fin, "CLOSE"], [0, "CLOSE"], [rst, undefined]] as const
  ) {
    const wire = new Wire();
    wire.director.sysctl.sloppy_tcp = 1;
    wire.serve(VIP, "tcp", [{ at: SERVERS[0], method: "dr" }]);
    const sent = wire.fromClient({ ...segment, flags });
    assert.deepEqual(sent.map((it) => it.link), state === undefined ? [] : ["inside"]);
    assert.deepEqual(
      [...wire.director.connections()].map((it) => it.state),
      state === undefined ? [] : [state],
    );
  }
});

Deno.test("NAT over IPv6: errors are translated both ways, with their checksums", () => {
  const [client, vip, server] = ["fd00:1::10", "fd00:1::100", "fd00:2::11"];
  const wire = new Wire();
  wire.serve(vip, "udp", [{ at: server, port: 5_353 }], 53);
  const asked = only(wire.fromClient({ source: client, destination: vip, destinationPort: 53 }));
  const error = (about: Uint8Array, source: string, destination: string) =>
    ipPacket({ source, destination, protocol: 58, payload: Uint8Array.of(1, 4, 0, 0, 0, 0, 0, 0, ...about) });
  const bytesOf = ({ packet }: Sent) => packet.bytes.slice(packet.at, packet.end);
  const told = only(wire.fromServer(error(bytesOf(asked), server, client)));
  const reply = only(
    wire.fromServer({ source: server, destination: client, sourcePort: 5_353, destinationPort: 40_000 }),
  );
  const back = only(wire.fromClient(error(bytesOf(reply), client, vip)));
  assert.deepEqual([sidesOf(told), sidesOf(back)], [`${vip} > ${client}`, `${client} > ${server}`]);
  assert.deepEqual([quotedOf(told).destinationPort, quotedOf(back).sourcePort], [53, 5_353]);
  for (const { packet } of [told, back]) {
    const { bytes, transport, end } = packet;
    assert.equal(
      checksumOf(bytes, transport, end, pseudoHeaderSum(bytes, packet.addressesAt, 16, 58, end - transport)),
      0,
    );
  }
});

for (const scheduler of SCHEDULER_NAMES) {
  Deno.test(`${scheduler} with nobody: TCP and UDP clients are told port unreachable, six times at once`, () => {
    for (const [name, packet] of [["tcp", segment], ["udp", { ...segment, protocol: 17 }]] as const) {
      const wire = new Wire();
      const key = { protocol: PROTOCOL[name], address: IpAddress.parse(VIP), port: 80 };
      const service = wire.director.addService({ key, scheduler }, wire.nowMs);
      const address = IpAddress.parse(SERVERS[0]);
      wire.director.addDestination(service, { address, port: 80, method: "nat", weight: 0 }, wire.nowMs);
      const told = Array.from({ length: 7 }, () => wire.fromClient(packet)).flat();
      assert.equal(told.length, 6);
      for (const { packet: { bytes, transport, tos, ttl } } of told) {
        assert.deepEqual([bytes[transport], bytes[transport + 1], tos, ttl], [3, 3, 0xc0, 64]);
      }
      assert.equal(wire.director.serviceView(service).statistics.connections, 0);
    }
  });
}

const IKE: PacketText = { source: CLIENT, destination: VIP, sourcePort: 500, destinationPort: 500 };
const SECRET = Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 1, 77);

for (const [name, protocol] of [["ESP", 50], ["AH", 51]] as const) {
  Deno.test(`${name} goes with the IKE connection of its addresses, keeps it alive, and opens none`, () => {
    const wire = new Wire();
    const service = wire.serve(VIP, "udp", SERVERS.map((at) => ({ at })), 500);
    const sealed: PacketText = { source: CLIENT, destination: VIP, protocol, payload: SECRET };
    // Nobody's without IKE: the host says so.
    assert.match(only(wire.fromClient(sealed)).text, /icmp 3\/2/);
    assert.equal(wire.director.connectionCount, 0);
    const server = goesTo(wire.fromClient(IKE)).replace(/\.500$/, "");
    wire.advance(299_000);
    const sent = only(wire.fromClient(sealed));
    assert.deepEqual([sent.link, sidesOf(sent), sent.packet.ttl], ["inside", `${CLIENT} > ${server}`, 63]);
    assert.deepEqual(sent.packet.bytes.slice(sent.packet.transport, sent.packet.end), SECRET);
    const back = only(wire.fromServer({ ...sealed, source: server, destination: CLIENT, fragment: 0x2000 }));
    assert.equal(sidesOf(back).split(" > ")[0], VIP, "a fragment is translated alone");
    wire.advance(299_000);
    assert.equal(wire.director.connectionCount, 1);
    assert.equal([...wire.director.connections()][0]?.expiresMs, 1_000);
    const { inPackets, outPackets, connections } = wire.director.serviceView(service).statistics;
    assert.deepEqual([inPackets, outPackets, connections], [2, 1, 1]);
    const error = Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 0);
    const about = ipPacket({ ...sealed, source: VIP, destination: CLIENT }).subarray(0, 28);
    const told = only(
      wire.fromClient({
        source: CLIENT,
        destination: VIP,
        protocol: 1,
        payload: Uint8Array.of(...error, ...about),
      }),
    );
    assert.equal(sidesOf(told), `${CLIENT} > ${server}`);
    const [deleted] = wire.director.destinationViews(service)
      .filter((it) => String(it.address) === server);
    wire.director.deleteDestination(deleted?.handle ?? 0, wire.nowMs);
    assert.deepEqual(wire.fromClient(sealed), [], "its server is gone");
    wire.director.sysctl.expire_nodest_conn = 1;
    assert.match(only(wire.fromClient(sealed)).text, /icmp 3\/2/);
    assert.equal(wire.director.connectionCount, 0);
  });
}

Deno.test("ignore_tunneled leaves tunnels alone, and not AH and ESP", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVERS[0], method: "dr" }], 500);
  wire.director.sysctl.ignore_tunneled = 1;
  wire.fromClient(IKE);
  const sent = only(wire.fromClient({ source: CLIENT, destination: VIP, protocol: 50, payload: SECRET }));
  assert.deepEqual([sent.link, sidesOf(sent)], ["inside", `${CLIENT} > ${VIP}`]);
});
