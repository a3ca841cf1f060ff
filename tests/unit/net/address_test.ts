/** IP addresses, judged by node:net and by URL. */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import fc from "fast-check";
import { formatAddress, IpAddress } from "../../../net/address.ts";
import { proveProperty } from "./property.ts";

/** Texts that look like addresses, mostly wrong ones. */
const nearAddress = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF:.g"), maxLength: 24 }),
  fc.array(fc.oneof(fc.integer({ min: -1, max: 300 }), fc.constantFrom("", "01", "1e1", "0x1", " 1")), {
    minLength: 3,
    maxLength: 5,
  }).map((parts) => parts.join(".")),
  fc.array(fc.constantFrom("", "0", "ffff", "12345", "a", "00001", "1.2.3.4"), {
    minLength: 2,
    maxLength: 10,
  })
    .map((groups) => groups.join(":")),
);

const anyAddress = fc.oneof(fc.ipV4(), fc.ipV6());

Deno.test("address: every text is an address exactly when node:net says so", () => {
  proveProperty(
    fc.property(fc.oneof(anyAddress, nearAddress), (text) => {
      assert.equal(IpAddress.tryParse(text) !== undefined, isIP(text) !== 0, text);
    }),
    5_000,
  );
});

Deno.test("address: the text of an IPv6 address is the one that URL writes", () => {
  proveProperty(
    fc.property(fc.ipV6(), (text) => {
      const address = IpAddress.parse(text);
      if (address.family === 6) assert.equal(`[${address}]`, new URL(`http://[${text}]/`).hostname);
    }),
    2_000,
  );
});

Deno.test("address: parse reads back what toString wrote", () => {
  proveProperty(
    fc.property(anyAddress, (text) => {
      const address = IpAddress.parse(text);
      const again = IpAddress.parse(`${address}`);
      assert.ok(again.equals(address), `${text} became ${address}`);
      assert.equal(`${again}`, `${address}`);
    }),
    2_000,
  );
});

Deno.test("address: four words and back", () => {
  const word = fc.nat(0xffffffff);
  proveProperty(fc.property(fc.tuple(word, word, word, word), (words) => {
    const address = IpAddress.ipv6(Uint32Array.from(words));
    assert.ok(IpAddress.parse(formatAddress(6, words)).equals(address));
    assert.ok(IpAddress.parse(formatAddress(4, words)).equals(IpAddress.ipv4(words[0])));
  }));
});

Deno.test("address: an IPv4-mapped one has one identity, its IPv4 one", () => {
  proveProperty(fc.property(fc.ipV4(), (text) => {
    const mapped = IpAddress.parse(`::ffff:${text}`);
    assert.equal(mapped.family, 4);
    assert.ok(mapped.equals(IpAddress.parse(text)));
    assert.deepEqual([...mapped.words.subarray(1)], [0, 0, 0]);
  }));
});

const CANONICAL: readonly (readonly [text: string, canonical: string])[] = [
  ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"], // RFC 5952 4.2.3: the first of two equal runs
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // 4.2.2: one group is not shortened
  ["0:0:0:0:0:0:0:0", "::"],
  ["1:0:0:0:0:0:0:0", "1::"],
  ["::0001", "::1"],
  ["::FFFF:192.0.2.7", "192.0.2.7"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
];

for (const [text, canonical] of CANONICAL) {
  Deno.test(`address: ${text} is written ${canonical}`, () => {
    assert.equal(`${IpAddress.parse(text)}`, canonical);
  });
}

for (
  const text of ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "010.1.1.1", "::1%eth0", "1::2::3", ":::", "12345::"]
) {
  Deno.test(`address: "${text}" is refused with the text and what to write`, () => {
    assert.throws(() => IpAddress.parse(text), {
      code: "ADDRESS_INVALID",
      message: `"${text}" is not an IP address; write 10.0.0.1 or 2001:db8::1`,
    });
  });
}

Deno.test("address: loopback and unspecified", () => {
  const kinds = ["127.0.0.1", "127.255.0.9", "128.0.0.1", "::1", "::2", "0.0.0.0", "::"].map((text) => {
    const { isLoopback, isUnspecified } = IpAddress.parse(text);
    return isLoopback ? "loopback" : isUnspecified ? "unspecified" : "other";
  });
  assert.deepEqual(kinds, [
    ...["loopback", "loopback", "other", "loopback", "other", "unspecified", "unspecified"],
  ]);
});

Deno.test("address: families are never equal", () => {
  assert.ok(!IpAddress.parse("0.0.0.0").equals(IpAddress.parse("::")));
});
