/**
 * What would become of a packet: the same that becomes of it, told step by step, and nothing is changed by asking.
 */
import assert from "node:assert/strict";
import {
  followPacket,
  type KnownNeighbour,
  type PacketPath,
  type PacketWish,
  type Surroundings,
} from "../../../../engines/packet/packet_path.ts";
import { packChains } from "../../../../engines/packet/rule_transfer.ts";
import { PRIORITY } from "../../../../hooks/hook.ts";
import type { Chain } from "../../../../hooks/rule.ts";
import { STATE } from "../../../../hooks/packet_view.ts";
import { isNamed, parseEndpoint } from "../../../../net/endpoint.ts";
import { Flow, PROTOCOL, TCP_FLAG } from "../../../../net/flow.ts";
import { Prefix } from "../../../../net/prefix.ts";
import { SeededRandom } from "../../../../net/random.ts";
import { only, sidesOf, Wire } from "./wire.ts";

const VIP = "10.1.0.100";
const SERVER = "172.16.0.11";
const server: KnownNeighbour = {
  interfaceName: "d1",
  vlan: 0,
  address: SERVER,
  mac: Uint8Array.of(2, 0, 0, 0, 0, 0x11),
};
const client: KnownNeighbour = { ...server, interfaceName: "d0", address: "10.1.0.10" };
const dropAll: Chain = {
  name: "in",
  base: { hook: "input", priority: PRIORITY.filter, policy: "accept" },
  rules: [{ match: { source: [Prefix.parse("10.1.0.66")] }, target: { kind: "drop" } }],
};

function surroundings(neighbours: readonly KnownNeighbour[] | undefined, chains: Chain[] = []): Surroundings {
  return {
    wiring: {
      interfaces: [{ name: "d0", addresses: ["10.1.0.1/24"] }, { name: "d1", addresses: ["172.16.0.1/24"] }],
      routes: [],
      virtualAddresses: [VIP],
    },
    interfaces: {
      d0: { index: 1, mtu: 1_500, mac: Uint8Array.of(2, 0, 0, 0, 0xd0, 0) },
      d1: { index: 2, mtu: 1_500, mac: Uint8Array.of(2, 0, 0, 0, 0xd0, 1) },
    },
    rules: { chains: packChains(chains), services: [], numbers: [] },
    ...(neighbours === undefined ? {} : { neighbours }),
  };
}

function flow(from: string, to: string, protocol: number = PROTOCOL.tcp): Flow {
  const at = (text: string) => {
    const endpoint = parseEndpoint(text);
    assert.ok(!isNamed(endpoint));
    return endpoint;
  };
  return Flow.between(protocol, at(from), at(to));
}

interface Asked {
  readonly from?: string;
  readonly to?: string;
  readonly around?: Surroundings;
  readonly wish?: PacketWish;
  readonly protocol?: number;
}

/** Asks a wire's director; it must be the same afterwards. */
function ask(
  wire: Wire,
  { from = "10.1.0.10:40000", to = `${VIP}:80`, around, protocol, wish = {} }: Asked = {},
): PacketPath {
  const asked = flow(from, to, protocol);
  const bytes = () => new Uint8Array(wire.director.store.buffer).slice();
  const before = bytes();
  const fork = wire.director.fork(new SeededRandom(1), asked);
  const path = followPacket(fork, asked, around ?? surroundings([server, client]), wish, wire.nowMs);
  assert.deepEqual(bytes(), before, "the store has changed");
  return path;
}

const at = ({ steps }: PacketPath) => steps.map((it) => it.at).join(" ");
const textOf = ({ steps }: PacketPath, name: string) => steps.findLast((it) => it.at === name)?.text ?? "";

Deno.test("a request of each method: hooks in netfilter's order, translation, route, what is sent", () => {
  const expected = [
    [
      "nat",
      /^NAT: destination 10\.1\.0\.100:80 becomes 172\.16\.0\.11:8080/,
      1_500,
      / > 172\.16\.0\.11:8080 syn, 40 /,
    ],
    ["dr", /^DR: the packet stays/, 1_500, / > 10\.1\.0\.100:80 syn, 40 /],
    [
      "tun",
      /^TUN: ipip from 172\.16\.0\.1 to 172\.16\.0\.11, 20 bytes/,
      1_480,
      /ipip 172\.16\.0\.1 > 172\.16\.0\.11, 60 /,
    ],
  ] as const;
  for (const [method, change, most, sent] of expected) {
    const wire = new Wire();
    wire.serve(VIP, "tcp", [{ at: SERVER, method, port: method === "nat" ? 8_080 : 80 }]);
    const path = ask(wire);
    assert.equal(at(path), "PREROUTING INPUT translation route OUTPUT POSTROUTING wire");
    assert.match(textOf(path, "translation"), change);
    assert.equal(textOf(path, "route"), `172.16.0.11 directly on d1; at most ${most} bytes`);
    assert.match(textOf(path, "wire"), /^d1 to 02:00:00:00:00:11: /);
    assert.match(textOf(path, "wire"), sent);
    const met = path.steps.find((it) => it.at === "INPUT")?.met;
    assert.deepEqual(met?.map((it) => [it.priority, it.what, it.verdict]), [
      [98, "director: replies to this host", "accept"],
      [99, "director: requests", "stolen"],
    ]);
  }
});

Deno.test("what it says comes true: the packet itself takes the same way", () => {
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: SERVER, port: 8_080 }, { at: "172.16.0.12", port: 8_080 }]);
  for (let i = 0; i < 4; i++) {
    const said = textOf(ask(wire, { from: `10.1.0.10:${40_000 + i}` }), "POSTROUTING");
    const sent = only(
      wire.fromClient({
        source: "10.1.0.10",
        destination: VIP,
        protocol: 6,
        sourcePort: 40_000 + i,
        flags: TCP_FLAG.syn,
      }),
    );
    assert.ok(said.includes(sidesOf(sent).split(" > ")[1]?.replace(".8080", ":8080") ?? "?"), said);
  }
});

Deno.test("a reply of a known connection is seen to leave from the service", () => {
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: SERVER, port: 8_080 }]);
  wire.fromClient({ source: "10.1.0.10", destination: VIP, protocol: 6, flags: TCP_FLAG.syn });
  const path = ask(wire, { from: `${SERVER}:8080`, to: "10.1.0.10:40000" });
  assert.equal(at(path), "PREROUTING FORWARD POSTROUTING wire");
  assert.match(textOf(path, "FORWARD"), /^tcp 172\.16\.0\.11:8080 > .*, out d0$/);
  assert.match(textOf(path, "POSTROUTING"), /^tcp 10\.1\.0\.100:80 > 10\.1\.0\.10:40000/);
});

Deno.test("a rule that drops, a packet that is too large, a neighbour that is not known", () => {
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: SERVER, method: "tun" }]);
  const dropped = ask(wire, { from: "10.1.0.66:1", around: surroundings([server], [dropAll]) });
  assert.equal(at(dropped), "PREROUTING INPUT dropped");
  const rules = dropped.steps[1]?.met?.flatMap((it) => it.rules) ?? [];
  assert.match(rules[0] ?? "", /^in 1: DROP from 10\.1\.0\.66/);

  const large = ask(wire, { wish: { bytes: 1_481 } });
  assert.match(textOf(large, "wire"), /^d0 .* > 10\.1\.0\.10 type 3 code 4 MTU 1480/);
  assert.match(textOf(large, "dropped"), /^too-big/);
  assert.match(textOf(ask(wire, { wish: { bytes: 1_480 } }), "wire"), /ipip .*, 1500 bytes/);

  const unknown = ask(wire, { around: surroundings([]) });
  assert.match(textOf(unknown, "neighbour"), /not known on d1: asked by ARP/);
  assert.match(textOf(ask(wire, { around: surroundings(undefined) }), "wire"), /^d1: ipip/);
});

Deno.test("the state of a datagram is that of its session, whoever sent it", () => {
  const wire = new Wire();
  wire.serve(VIP, "udp", [{ at: SERVER, port: 5_353 }], 53);
  const chains = (["input", "forward"] as const).map((hook): Chain => ({
    name: hook,
    base: { hook, priority: PRIORITY.filter, policy: "accept" },
    rules: [{ match: { states: STATE.established }, target: { kind: "none" } }],
  }));
  const matched = (from: string, to: string) => {
    const path = ask(wire, {
      from,
      to,
      protocol: PROTOCOL.udp,
      around: surroundings([server, client], chains),
    });
    return path.steps.flatMap((it) => it.met ?? []).flatMap((it) => it.rules).length;
  };
  assert.equal(matched("10.1.0.10:40000", `${VIP}:53`), 0, "the first one");
  wire.fromClient({ source: "10.1.0.10", destination: VIP, destinationPort: 53 });
  assert.equal(matched("10.1.0.10:40000", `${VIP}:53`), 1);
  assert.equal(matched(`${SERVER}:5353`, "10.1.0.10:40000"), 1);
  assert.equal(matched("10.1.0.10:40001", `${VIP}:53`), 0, "another client's");
});

Deno.test("an interface that is not there, and lengths that no packet has, are the asker's mistakes", () => {
  const wire = new Wire();
  wire.serve(VIP, "tcp", [{ at: SERVER }]);
  assert.throws(() => ask(wire, { wish: { interfaceName: "d7" } }), /no interface d7; it has d0, d1/);
  for (const bytes of [39, 65_536, NaN]) {
    assert.throws(() => ask(wire, { wish: { bytes } }), { code: "BYTES_INVALID" });
  }
});
