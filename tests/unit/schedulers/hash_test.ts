import assert from "node:assert/strict";
import { IpAddress } from "../../../net/address.ts";
import { fold, hash32 } from "../../../schedulers/hash.ts";

/** hash_32 of the address with 8 and with 10 bits, and of address + 40000 with 8. */
const VECTORS: readonly [address: string, byte: number, ten: number, withPort: number][] = [
  ["10.0.0.1", 39, 159, 203],
  ["127.0.0.1", 154, 619, 62],
  ["192.0.2.1", 50, 203, 214],
  ["192.0.2.2", 148, 594, 56],
  ["192.0.2.3", 246, 985, 154],
  ["203.0.113.7", 124, 499, 32],
];

for (const [address, byte, ten, withPort] of VECTORS) {
  Deno.test(`hash32 of ${address}`, () => {
    const value = fold(IpAddress.parse(address).words);
    assert.equal(hash32(value, 8), byte);
    assert.equal(hash32(value, 10), ten);
    assert.equal(hash32(value + 40_000, 8), withPort);
  });
}

Deno.test("fold is unsigned, and XORs the words of an IPv6 address", () => {
  assert.equal(fold(IpAddress.parse("255.255.255.255").words), 0xffff_ffff);
  assert.equal(fold(IpAddress.parse("8000::1").words), 0x8000_0001);
  assert.equal(
    fold(IpAddress.parse("2001:db8::1:0:0:1").words),
    (0x20010db8 ^ 0 ^ 0x10000 ^ 1) >>> 0,
  );
});
