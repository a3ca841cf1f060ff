/**
 * Tunnels between IP versions, and what routers on the way say about each kind of tunnel.
 */
import assert from "node:assert/strict";
import type { DestinationSpec } from "../../../../director/specs.ts";
import { get16 } from "../../../../packet/bytes.ts";
import { ipPacket } from "../../packet/frames.ts";
import { only, type Sent, sidesOf, Wire } from "./wire.ts";

const CLIENT = "10.1.0.10";
const VIP = "10.1.0.100";
const SERVER = "172.16.0.11";
const DIRECTOR = "172.16.0.1";
const SIX = { client: "fd00:1::10", vip: "fd00:1::100", server: "fd00:2::11" } as const;
const DONT_FRAGMENT = 0x4000;

type Tunnel = NonNullable<DestinationSpec["tunnel"]>;
const ipip: Tunnel = { type: "ipip", port: 0, checksum: "nocsum" };
const gre: Tunnel = { type: "gre", port: 0, checksum: "nocsum" };
const gue: Tunnel = { type: "gue", port: 5_555, checksum: "nocsum" };

const BETWEEN: readonly [tunnel: Tunnel, inSix: readonly number[], inFour: readonly number[]][] = [
  // Protocol of the outer header, and what names the inner one.
  [ipip, [4], [41]],
  [gre, [47, 0x0800], [47, 0x86dd]],
  [gue, [17, 4], [17, 41]],
];

for (const [tunnel, inSix, inFour] of BETWEEN) {
  /** The outer protocol, and what the tunnel's own header says of the inner one. */
  const namesOf = ({ packet: { bytes, transport, protocol } }: Sent): number[] => {
    if (tunnel.type === "ipip") return [protocol];
    return [protocol, tunnel.type === "gre" ? get16(bytes, transport + 2) : bytes[transport + 9] ?? 0];
  };

  Deno.test(`${tunnel.type}: IPv4 in IPv6 and IPv6 in IPv4, which may be fragmented`, () => {
    const wire = new Wire();
    wire.serve(VIP, "udp", [{ at: SIX.server, method: "tun", tunnel }], 53);
    wire.serve(SIX.vip, "udp", [{ at: SERVER, method: "tun", tunnel }], 53);
    const four = only(wire.fromClient({ source: CLIENT, destination: VIP, destinationPort: 53 }));
    assert.deepEqual([four.packet.family, four.packet.ttl, namesOf(four)], [6, 63, inSix]);
    const six = only(wire.fromClient({ source: SIX.client, destination: SIX.vip, destinationPort: 53 }));
    assert.deepEqual([six.packet.family, six.packet.ttl, namesOf(six)], [4, 63, inFour]);
    assert.equal(six.packet.dontFragment, false);
  });
}

const OVERHEADS: readonly [name: string, tunnel: Tunnel, overhead: number][] = [
  ["ipip", ipip, 20],
  ["gre", gre, 24],
  ["gre with a checksum", { ...gre, checksum: "csum" }, 28],
  ["gue", gue, 32],
];
const request = ipPacket({
  source: CLIENT,
  destination: VIP,
  destinationPort: 53,
  payload: new Uint8Array(1_400),
  fragment: DONT_FRAGMENT,
});

/** A router's error about a tunnel packet. */
function errorAbout({ packet }: Sent, type: number, code: number, mtu = 0): Uint8Array {
  const quoted = packet.bytes.slice(packet.at, packet.at + 100);
  const payload = Uint8Array.of(type, code, 0, 0, 0, 0, mtu >>> 8, mtu & 255, ...quoted);
  return ipPacket({ source: "172.16.0.254", destination: DIRECTOR, protocol: 1, payload });
}

function icmpOf(sent: readonly Sent[]): number[] {
  const told = only(sent);
  const { bytes, transport } = told.packet;
  assert.deepEqual([told.link, sidesOf(told)], ["outside", `${VIP} > ${CLIENT}`]);
  return [bytes[transport] ?? 0, bytes[transport + 1] ?? 0, get16(bytes, transport + 6)];
}

for (const [name, tunnel, overhead] of OVERHEADS) {
  Deno.test(`${name}: a router's error becomes the client's, without the ${overhead} bytes of the tunnel`, () => {
    const wire = new Wire();
    wire.serve(VIP, "udp", [{ at: SERVER, method: "tun", tunnel }], 53);
    const outer = only(wire.fromClient(request));
    assert.deepEqual(icmpOf(wire.fromServer(errorAbout(outer, 11, 0))), [11, 0, 0]);
    assert.deepEqual(icmpOf(wire.fromServer(errorAbout(outer, 3, 1))), [3, 1, 0]);
    const damaged = errorAbout(outer, 3, 4, 1_300);
    damaged[22] = (damaged[22] ?? 0) ^ 1;
    assert.deepEqual(wire.fromServer(damaged), [], "a wrong checksum says nothing");
    assert.deepEqual(icmpOf(wire.fromServer(errorAbout(outer, 3, 4, 1_300))), [3, 4, 1_300 - overhead]);
    // Below the kernel's least path MTU nobody is believed, and after ten minutes nobody is remembered.
    assert.deepEqual(icmpOf(wire.fromServer(errorAbout(outer, 3, 4, 100))), [3, 4, 552 - overhead]);
    wire.advance(599_999);
    assert.equal(icmpOf(wire.fromClient(request))[2], 552 - overhead);
    wire.advance(1);
    assert.equal(only(wire.fromClient(request)).link, "inside");
  });
}

Deno.test("an error about another port's tunnel, or one that passes by to another host, tells no client", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER, method: "tun", tunnel: gue }], 53);
  const outer = only(wire.fromClient(request));
  const { bytes, transport } = outer.packet;
  const passing = ipPacket({
    source: "172.16.0.254",
    destination: "10.1.0.77",
    protocol: 1,
    payload: errorAbout(outer, 3, 4, 1_300).slice(20),
  });
  wire.knows(wire.outside, "10.1.0.77", "02:00:00:00:c0:77");
  assert.match(only(wire.fromServer(passing)).text, /172\.16\.0\.254 > 10\.1\.0\.77 /);
  bytes[transport + 3] = (bytes[transport + 3] ?? 0) ^ 1;
  assert.deepEqual(wire.fromServer(errorAbout(outer, 3, 4, 1_300)), []);
  assert.equal(only(wire.fromClient(request)).link, "inside", "nothing was learned");
});

Deno.test("schedule_icmp: an error about a tunnel opens no connection", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER, method: "tun" }], 53);
  wire.director.sysctl.schedule_icmp = 1;
  const outer = only(wire.fromClient(request));
  const about = errorAbout(outer, 3, 1);
  wire.advance(300_000);
  assert.deepEqual([wire.director.connectionCount, wire.fromServer(about)], [0, []]);
  assert.equal(wire.director.connectionCount, 0);
});
