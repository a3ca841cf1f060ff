/** SCTP: what a packet's first chunk means, and its checksum behind NAT. */
import assert from "node:assert/strict";
import { SCTP_EVENT } from "../../../../director/sctp_states.ts";
import { sctpEventOf } from "../../../../engines/packet/sctp_event.ts";
import { IpAddress } from "../../../../net/address.ts";
import { PROTOCOL } from "../../../../net/flow.ts";
import { crc32c, sealSctp } from "../../../../packet/crc32c.ts";
import { IpPacket } from "../../../../packet/ip_packet.ts";
import { ipPacket } from "../../packet/frames.ts";
import { only, Wire } from "./wire.ts";

const CLIENT = "10.1.0.10";
const VIP = "10.1.0.100";
const SERVER = "172.16.0.11";
const INIT = 1;
const ABORT = 6;

/** Ports 40000 and 80, a tag, and chunks of these types, each with one byte that is padded. */
function packetOf(chunks: readonly number[], source = CLIENT, destination = VIP): Uint8Array {
  const head = [40_000 >> 8, 40_000 & 255, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0];
  const segment = Uint8Array.from([...head, ...chunks.flatMap((type) => [type, 0, 0, 5, 9, 0, 0, 0])]);
  sealSctp(segment, 0, segment.length);
  return ipPacket({ source, destination, protocol: PROTOCOL.sctp, payload: segment });
}

function eventOf(...chunks: number[]): number {
  const packet = new IpPacket();
  const bytes = packetOf(chunks);
  assert.ok(packet.read(bytes, 0, bytes.length));
  return sctpEventOf(packet);
}

Deno.test("SCTP: the event of every chunk type; what is not known is data", () => {
  const {
    data,
    init,
    initAck,
    cookieEcho,
    cookieAck,
    shutdown,
    shutdownAck,
    shutdownComplete,
    error,
    abort,
  } = SCTP_EVENT;
  assert.deepEqual(Array.from({ length: 16 }, (_, type) => eventOf(type)), [
    data,
    init,
    initAck,
    data, // SACK
    data, // HEARTBEAT
    data, // HEARTBEAT ACK
    abort,
    shutdown,
    shutdownAck,
    error,
    cookieEcho,
    cookieAck,
    data, // ECNE
    data, // CWR
    shutdownComplete,
    data,
  ]);
  assert.equal(eventOf(0x80), data);
  assert.equal(eventOf(), data, "no chunk at all");
});

Deno.test("SCTP: an ABORT behind COOKIE ECHO or COOKIE ACK counts, behind others it does not", () => {
  for (const first of [10, 11]) assert.equal(eventOf(first, ABORT), SCTP_EVENT.abort);
  assert.equal(eventOf(10, 0), SCTP_EVENT.cookieEcho);
  assert.equal(eventOf(8, ABORT), SCTP_EVENT.shutdownAck);
});

for (const [port, isSealed] of [[80, false], [8_080, true]] as const) {
  Deno.test(`SCTP by NAT to port ${port}: the checksum is ${isSealed ? "made anew" : "left alone"}`, () => {
    const wire = new Wire();
    const key = { protocol: PROTOCOL.sctp, address: IpAddress.parse(VIP), port: 80 };
    const service = wire.director.addService({ key, scheduler: "rr" }, wire.nowMs);
    const address = IpAddress.parse(SERVER);
    wire.director.addDestination(service, { address, port, method: "nat", weight: 1 }, wire.nowMs);
    const bytes = packetOf([INIT]);
    // A damaged one must not become right unless it has to be computed.
    bytes[28] = (bytes[28] ?? 0) ^ 0xff;
    const { packet } = only(wire.fromClient(bytes));
    assert.deepEqual([packet.sourcePort, packet.destinationPort], [40_000, port]);
    const segment = packet.bytes.slice(packet.transport, packet.end);
    const found = new DataView(segment.buffer).getUint32(8, true);
    segment.fill(0, 8, 12);
    assert.equal(found === crc32c(segment, 0, segment.length), isSealed);
  });
}

Deno.test("SCTP: without a chunk nothing begins and nobody is told; a known association goes on", () => {
  const wire = new Wire();
  const key = { protocol: PROTOCOL.sctp, address: IpAddress.parse(VIP), port: 80 };
  const service = wire.director.addService({ key, scheduler: "rr" }, wire.nowMs);
  const address = IpAddress.parse(SERVER);
  wire.director.addDestination(service, { address, port: 80, method: "dr", weight: 1 }, wire.nowMs);
  assert.deepEqual(wire.fromClient(packetOf([])), []);
  assert.equal(wire.packets.drops.toJSON().director, 1);
  assert.match(only(wire.fromClient(packetOf([0]))).text, /icmp 3\/2/, "what begins nothing is the host's");
  only(wire.fromClient(packetOf([INIT])));
  assert.equal(only(wire.fromClient(packetOf([]))).link, "inside");
});
