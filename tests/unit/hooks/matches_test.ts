/** Each match: a packet that fits, one that does not, and the same under `not`. */
import assert from "node:assert/strict";
import { VERDICT } from "../../../hooks/hook.ts";
import { NO_PORT, type PacketView, STATE, UNKNOWN } from "../../../hooks/packet_view.ts";
import type { Match } from "../../../hooks/rule.ts";
import { PROTOCOL } from "../../../net/flow.ts";
import { DROP, input, packet, prefixes, rule, ruleSet } from "./testbed.ts";

interface Case {
  readonly what: string;
  readonly match: Match;
  readonly fits: readonly PacketView[];
  readonly other: readonly PacketView[];
}

const V6 = packet("[2001:db8::7]:40000", "[2001:db8::1]:80");
const ports = (first: number, last = first) => [{ first, last }];

const CASES: readonly Case[] = [
  { what: "no condition", match: {}, fits: [packet(), V6], other: [] },
  {
    what: "protocol",
    match: { protocols: [PROTOCOL.tcp] },
    fits: [packet()],
    other: [packet(undefined, undefined, { protocol: PROTOCOL.udp })],
  },
  {
    what: "two protocols",
    match: { protocols: [PROTOCOL.tcp, PROTOCOL.udp] },
    fits: [packet(), packet(undefined, undefined, { protocol: PROTOCOL.udp })],
    other: [packet(undefined, undefined, { protocol: PROTOCOL.sctp })],
  },
  { what: "family", match: { family: 6 }, fits: [V6], other: [packet()] },
  {
    what: "source network",
    match: { source: prefixes("192.0.2.0/25") },
    fits: [packet("192.0.2.0:1"), packet("192.0.2.127:1")],
    other: [packet("192.0.2.128:1"), packet("192.0.1.255:1"), V6],
  },
  {
    what: "sources of both families",
    match: { source: prefixes("10.0.0.0/8", "2001:db8::/127", "192.0.2.7") },
    fits: [packet(), packet("10.255.0.1:1"), packet("[2001:db8::1]:1", "[::1]:1")],
    other: [packet("192.0.2.8:1"), packet("[2001:db8::2]:1", "[::1]:1")],
  },
  {
    what: "the last bits of a long IPv6 prefix",
    match: { source: prefixes("2001:db8:1:2:3:4:5:6/128") },
    fits: [packet("[2001:db8:1:2:3:4:5:6]:1", "[::1]:1")],
    other: [packet("[2001:db8:1:2:3:4:5:7]:1", "[::1]:1"), packet("[2001:db8:1:3:3:4:5:6]:1", "[::1]:1")],
  },
  { what: "0.0.0.0/0 is IPv4 only", match: { source: prefixes("0.0.0.0/0") }, fits: [packet()], other: [V6] },
  {
    what: "destination",
    match: { destination: prefixes("10.0.0.1") },
    fits: [packet()],
    other: [packet(undefined, "10.0.0.2:80"), V6],
  },
  {
    what: "destination port range",
    match: { destinationPorts: ports(80, 90) },
    fits: [packet(undefined, "10.0.0.1:80"), packet(undefined, "10.0.0.1:90")],
    other: [packet(undefined, "10.0.0.1:79"), packet(undefined, "10.0.0.1:91")],
  },
  {
    what: "several ports",
    match: { destinationPorts: [...ports(443), ...ports(8_000, 8_001)] },
    fits: [packet(undefined, "10.0.0.1:443"), packet(undefined, "10.0.0.1:8001")],
    other: [packet()],
  },
  {
    what: "source port",
    match: { sourcePorts: ports(1_024, 65_535) },
    fits: [packet()],
    other: [packet("192.0.2.7:1023")],
  },
  {
    what: "mark under a mask",
    match: { mark: { value: 0x10, mask: 0xf0 } },
    fits: [packet(undefined, undefined, { mark: 0x8000001f })],
    other: [packet(), packet(undefined, undefined, { mark: 0x30 })],
  },
  {
    what: "mark with the highest bit",
    match: { mark: { value: 0xffffffff, mask: 0xffffffff } },
    fits: [packet(undefined, undefined, { mark: 0xffffffff })],
    other: [packet(undefined, undefined, { mark: 0x7fffffff })],
  },
  {
    what: "one of several states",
    match: { states: STATE.established | STATE.related },
    fits: [
      packet(undefined, undefined, { state: STATE.established }),
      packet(undefined, undefined, { state: STATE.related }),
    ],
    other: [packet(), packet(undefined, undefined, { state: STATE.invalid })],
  },
  {
    what: "incoming interface",
    match: { inInterface: ["eth0"] },
    fits: [packet(undefined, undefined, { inInterface: 2 })],
    other: [
      packet(undefined, undefined, { inInterface: 3 }),
      packet(undefined, undefined, { inInterface: UNKNOWN }),
    ],
  },
  {
    what: "outgoing interfaces by the beginning of their name",
    match: { outInterface: ["eth+"] },
    fits: [
      packet(undefined, undefined, { outInterface: 2 }),
      packet(undefined, undefined, { outInterface: 3 }),
    ],
    other: [packet(undefined, undefined, { outInterface: 4 })],
  },
  {
    what: "an interface that is not there",
    match: { inInterface: ["ppp0"] },
    fits: [],
    other: [packet(undefined, undefined, { inInterface: 2 }), packet()],
  },
  {
    what: "service",
    match: { services: ["dns"] },
    fits: [packet(undefined, undefined, { service: 1 })],
    other: [packet(undefined, undefined, { service: 0 }), packet(undefined, undefined, { service: UNKNOWN })],
  },
  {
    what: "all of several conditions",
    match: { protocols: [PROTOCOL.tcp], source: prefixes("192.0.2.0/24"), destinationPorts: ports(80) },
    fits: [packet()],
    other: [packet("198.51.100.1:1"), packet(undefined, "10.0.0.1:81")],
  },
];

function isDropped(match: Match, not: Match | undefined, view: PacketView): boolean {
  return ruleSet([input([rule(match, DROP, not)])]).walk(0, view, 0) === VERDICT.drop;
}

for (const { what, match, fits, other } of CASES) {
  Deno.test(`match: ${what}`, () => {
    for (const [i, view] of fits.entries()) assert.ok(isDropped(match, undefined, view), `fits ${i}`);
    for (const [i, view] of other.entries()) assert.ok(!isDropped(match, undefined, view), `other ${i}`);
  });
  if (Object.keys(match).length !== 1) continue;
  Deno.test(`match: not ${what}`, () => {
    for (const [i, view] of fits.entries()) assert.ok(!isDropped({}, match, view), `fits ${i}`);
    for (const [i, view] of other.entries()) assert.ok(isDropped({}, match, view), `other ${i}`);
  });
}

Deno.test("match: a port that cannot be read is neither in a range nor outside of it", () => {
  const view = packet(undefined, undefined, { destinationPort: NO_PORT, sourcePort: NO_PORT });
  for (const match of [{ destinationPorts: ports(0, 65_535) }, { sourcePorts: ports(0, 65_535) }]) {
    assert.equal(isDropped(match, undefined, view), false);
    assert.equal(isDropped({}, match, view), false);
  }
});

Deno.test("match: a network but not one in it", () => {
  const [match, not] = [{ source: prefixes("10.0.0.0/8") }, { source: prefixes("10.1.0.0/16") }];
  assert.equal(isDropped(match, not, packet("10.2.0.1:1")), true);
  assert.equal(isDropped(match, not, packet("10.1.0.1:1")), false);
  assert.equal(isDropped(match, not, packet("11.0.0.1:1")), false);
});

Deno.test("match: connections above, this one included, counted for the network asked for", () => {
  const asked: [number, number][] = [];
  const set = (live: number) =>
    ruleSet([input([rule({ connectionsAbove: { count: 10, perSource: { ipv4: 24, ipv6: 64 } } }, DROP)])], {
      connections: {
        count: (family, _address, prefixLength) => {
          asked.push([family, prefixLength]);
          return live;
        },
      },
    });
  assert.equal(set(9).walk(0, packet(), 0), VERDICT.accept);
  assert.equal(set(10).walk(0, packet(), 0), VERDICT.drop);
  assert.equal(set(10).walk(0, V6, 0), VERDICT.drop);
  assert.deepEqual(asked, [[4, 24], [4, 24], [6, 64]]);
});
