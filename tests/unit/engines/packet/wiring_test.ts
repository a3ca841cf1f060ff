/** A change of what is wired: who was known on an interface that stays is still known. */
import assert from "node:assert/strict";
import { Neighbours } from "../../../../engines/packet/neighbours.ts";
import { wire, type Wiring } from "../../../../engines/packet/wiring.ts";
import { IpAddress } from "../../../../net/address.ts";

const INTERFACES = {
  d0: { index: 3, mtu: 1_500, mac: Uint8Array.of(2, 0, 0, 0, 0, 1) },
  d1: { index: 4, mtu: 1_500, mac: Uint8Array.of(2, 0, 0, 0, 0, 2) },
};
const WIRING: Wiring = {
  interfaces: [
    { name: "d0", addresses: ["10.1.0.1/24"] },
    { name: "d0", vlan: 7, addresses: ["10.7.0.1/24"] },
    { name: "d1", addresses: ["172.16.0.1/24"] },
  ],
  routes: [],
  virtualAddresses: ["10.1.0.100"],
};
const systemInterface = (name: string) => name === "d0" ? INTERFACES.d0 : INTERFACES.d1;

Deno.test("wiring: a virtual address more does not forget the neighbours", () => {
  const neighbours = new Neighbours({ ask: () => {}, send: () => {}, fail: () => {} });
  const { words } = IpAddress.parse("172.16.0.11");
  const before = wire(WIRING, systemInterface);
  for (const link of before.links) neighbours.learn(link, 4, words, Uint8Array.of(2, 0, 0, 0, 0, 9), true, 0);
  const more = { ...WIRING, virtualAddresses: [...WIRING.virtualAddresses, "10.1.0.101"] };
  const after = wire(more, systemInterface, before.links);
  assert.equal(after.links.length, 3);
  for (const link of after.links) assert.notEqual(neighbours.find(link, 4, words, 1), undefined);
  assert.ok(after.addresses.every(({ link }) => after.links.includes(link)));
});

Deno.test("wiring: an interface that was made anew is another link, one with another MTU is the same", () => {
  const before = wire(WIRING, systemInterface);
  const changed = (name: string) =>
    name === "d0" ? { ...INTERFACES.d0, index: 9 } : { ...INTERFACES.d1, mtu: 9_000 };
  const after = wire(WIRING, changed, before.links);
  assert.deepEqual(after.links.map((it) => before.links.includes(it)), [false, false, true]);
  assert.deepEqual(after.links.map(({ index, mtu }) => [index, mtu]), [[9, 1_500], [9, 1_500], [4, 9_000]]);
});
