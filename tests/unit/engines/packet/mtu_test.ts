/**
 * How large a request may be on each way, and who is told: reference of the kernel's `ensure_mtu_is_adequate`.
 */
import assert from "node:assert/strict";
import type { DestinationSpec } from "../../../../director/specs.ts";
import { get16 } from "../../../../packet/bytes.ts";
import { ipPacket, ipv6Fragment } from "../../packet/frames.ts";
import { only, type Sent, Wire } from "./wire.ts";

const CLIENT = "10.1.0.10";
const VIP = "10.1.0.100";
const SERVER = "172.16.0.11";
const SIX = { client: "fd00:1::10", vip: "fd00:1::100", server: "fd00:2::11" } as const;
const DONT_FRAGMENT = 0x4000;

function tunnel(wire: Wire, vip: string, at: string, mtu: number): void {
  wire.inside.mtu = mtu;
  wire.serve(vip, "udp", [{ at, method: "tun" }], 53);
}

/** A request of so many bytes. */
function request(source: string, destination: string, bytes: number, fragment = 0): Uint8Array {
  const headers = source.includes(":") ? 48 : 28;
  const payload = new Uint8Array(bytes - headers);
  return ipPacket({ source, destination, destinationPort: 53, payload, fragment });
}

/** MTU that a client was told. */
function toldMtu(sent: readonly Sent[]): number {
  const { link, packet } = only(sent);
  assert.equal(link, "outside");
  return get16(packet.bytes, packet.transport + 6);
}

Deno.test("a tunnel that leaves less than 68 bytes over IPv4, or 1280 over IPv6, takes nothing, and nobody is told", () => {
  for (const [mtu, passes] of [[87, false], [88, true]] as const) {
    const wire = new Wire();
    tunnel(wire, VIP, SERVER, mtu);
    assert.equal(wire.fromClient(request(CLIENT, VIP, 40)).length, passes ? 1 : 0, `MTU ${mtu}`);
    assert.equal(wire.packets.drops.toJSON()["too-big"], passes ? 0 : 1);
  }
  for (const [mtu, passes] of [[1_319, false], [1_320, true]] as const) {
    const wire = new Wire();
    tunnel(wire, SIX.vip, SIX.server, mtu);
    assert.equal(wire.fromClient(request(SIX.client, SIX.vip, 100)).length, passes ? 1 : 0, `MTU ${mtu}`);
  }
});

Deno.test("pmtu_disc 0 fragments the tunnel of IPv4, and tells IPv6 all the same", () => {
  const four = new Wire();
  tunnel(four, VIP, SERVER, 1_500);
  assert.equal(toldMtu(four.fromClient(request(CLIENT, VIP, 1_481, DONT_FRAGMENT))), 1_480);
  four.director.sysctl.pmtu_disc = 0;
  const pieces = four.fromClient(request(CLIENT, VIP, 1_481, DONT_FRAGMENT));
  assert.deepEqual(pieces.map(({ link, packet }) => [link, packet.dontFragment]), [
    ["inside", false],
    ["inside", false],
  ]);
  const six = new Wire();
  tunnel(six, SIX.vip, SIX.server, 1_500);
  six.director.sysctl.pmtu_disc = 0;
  assert.equal(toldMtu(six.fromClient(request(SIX.client, SIX.vip, 1_461))), 1_460);
  assert.equal(only(six.fromClient(request(SIX.client, SIX.vip, 1_460))).link, "inside");
});

Deno.test("an ICMP error that is too large goes on in fragments: no error answers an error", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER, method: "dr" }], 53);
  wire.fromClient(request(CLIENT, VIP, 100));
  wire.inside.mtu = 560;
  const about = ipPacket({ source: VIP, destination: CLIENT, sourcePort: 53, destinationPort: 40_000 });
  const payload = new Uint8Array(556);
  payload.set([3, 4, 0, 0, 0, 0, 5, 0]);
  payload.set(about, 8);
  const error = ipPacket({ source: CLIENT, destination: VIP, protocol: 1, payload, fragment: DONT_FRAGMENT });
  assert.deepEqual(wire.fromClient(error).map(({ link }) => link), ["inside", "inside"]);
});

const METHODS: readonly Partial<DestinationSpec>[] = [{ method: "nat" }, { method: "dr" }];

for (const spec of METHODS) {
  Deno.test(`IPv6 by ${spec.method}: a datagram that came in fragments is measured by its largest`, () => {
    const wire = new Wire();
    wire.serve(SIX.vip, "udp", [{ at: SIX.server, ...spec }], 53);
    const whole = request(SIX.client, SIX.vip, 2_000);
    const send = (): Sent[] => {
      assert.deepEqual(wire.fromClient(ipv6Fragment(whole, 0, 1_392)), []);
      return wire.fromClient(ipv6Fragment(whole, 1_392, 1_960));
    };
    assert.deepEqual(send().map(({ link, packet }) => [link, packet.length]), [
      ["inside", 1_440],
      ["inside", 616],
    ]);
    wire.inside.mtu = 1_400;
    const { packet } = only(send());
    assert.deepEqual([packet.bytes[packet.transport], get16(packet.bytes, packet.transport + 6)], [2, 1_400]);
  });
}
