/** Prefixes, judged by node:net's BlockList. */
import assert from "node:assert/strict";
import { BlockList } from "node:net";
import fc from "fast-check";
import { IpAddress } from "../../../net/address.ts";
import { maskWords, Prefix } from "../../../net/prefix.ts";
import { proveProperty } from "./property.ts";

const FAMILIES = [
  { family: 4, type: "ipv4", bits: 32, text: fc.ipV4() },
  { family: 6, type: "ipv6", bits: 128, text: fc.ipV6() },
] as const;

/** The address with one bit turned over, so that near misses are tried too. */
function flip(address: IpAddress, bit: number): IpAddress {
  const words = address.words.slice();
  words[bit >> 5] = (words[bit >> 5] ?? 0) ^ (0x80000000 >>> (bit & 31));
  return new IpAddress(address.family, words);
}

for (const { family, type, bits, text } of FAMILIES) {
  Deno.test(`prefix: IPv${family} addresses are inside exactly when node:net's BlockList says so`, () => {
    proveProperty(fc.property(
      text,
      fc.nat(bits),
      fc.oneof(text, fc.nat(bits - 1)),
      (network, length, other) => {
        const base = IpAddress.parse(network);
        const tried = typeof other === "string" ? IpAddress.parse(other) : flip(base, other);
        fc.pre(base.family === family && tried.family === family && isPlain(base) && isPlain(tried));
        const judge = new BlockList();
        judge.addSubnet(`${base}`, length, type);
        const prefix = new Prefix(base, length);
        assert.equal(
          prefix.contains(tried),
          judge.check(`${tried}`, type),
          `${tried} in ${network}/${length}`,
        );
        assert.equal(prefix.containsWords(tried.words), prefix.contains(tried));
      },
    ));
  });

  Deno.test(`prefix: IPv${family}: parse reads back what toString wrote`, () => {
    proveProperty(fc.property(text, fc.nat(bits), (network, length) => {
      const base = IpAddress.parse(network);
      fc.pre(base.family === family);
      const prefix = Prefix.parse(`${base}/${length}`);
      const again = Prefix.parse(`${prefix}`);
      assert.equal(`${again}`, `${prefix}`);
      assert.ok(again.address.equals(prefix.address) && again.length === length);
      assert.ok(prefix.contains(base), "its own address is inside");
    }));
  });

  Deno.test(`prefix: a mask of IPv${family} has as many leading ones as its length says`, () => {
    for (let length = 0; length <= bits; length++) {
      const text = [...maskWords(family, length)].map((word) => word.toString(2).padStart(32, "0")).join("");
      assert.equal(text, "1".repeat(length).padEnd(128, "0"));
    }
  });
}

/** `IpAddress` makes IPv4 of what is IPv4-mapped; flipping a bit must not lead there. */
function isPlain(address: IpAddress): boolean {
  return IpAddress.parse(`${address}`).family === address.family;
}

Deno.test("prefix: a bare address is a prefix of its full length; bits behind it are cleared", () => {
  assert.equal(`${Prefix.parse("10.1.2.3")}`, "10.1.2.3/32");
  assert.equal(`${Prefix.parse("::1")}`, "::1/128");
  assert.equal(`${Prefix.parse("10.1.2.3/8")}`, "10.0.0.0/8");
  assert.equal(`${Prefix.parse("2001:db8:ffff::/33")}`, "2001:db8:8000::/33");
});

Deno.test("prefix: no IPv4 address is in an IPv6 prefix, nor the other way round", () => {
  assert.ok(!Prefix.parse("::/0").contains(IpAddress.parse("10.0.0.1")));
  assert.ok(!Prefix.parse("0.0.0.0/0").contains(IpAddress.parse("::")));
});

for (
  const text of [
    "",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "x/8",
    "10.0.0.0/8.0",
  ]
) {
  Deno.test(`prefix: "${text}" is refused`, () => {
    assert.throws(() => Prefix.parse(text), { code: "PREFIX_INVALID" });
  });
}
