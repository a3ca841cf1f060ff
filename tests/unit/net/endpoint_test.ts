/** Addresses with ports, judged by URL. */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import fc from "fast-check";
import { IpAddress } from "../../../net/address.ts";
import { type EndpointText, formatEndpoint, isNamed, parseEndpoint } from "../../../net/endpoint.ts";
import { proveProperty } from "./property.ts";

const port = fc.nat(65_535);
const numeric: fc.Arbitrary<EndpointText> = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), port)
  .map(([address, port]) => ({ address: IpAddress.parse(address), port }));
const named: fc.Arbitrary<EndpointText> = fc.tuple(fc.domain(), port).map(([host, port]) => ({ host, port }));

Deno.test("endpoint: parse reads back what format wrote", () => {
  proveProperty(fc.property(fc.oneof(numeric, named), (endpoint) => {
    const text = formatEndpoint(endpoint);
    const again = parseEndpoint(text);
    assert.equal(formatEndpoint(again), text);
    assert.equal(again.port, endpoint.port);
    if (isNamed(endpoint) || isNamed(again)) assert.deepEqual(again, endpoint);
    else assert.ok(again.address.equals(endpoint.address));
  }));
});

Deno.test("endpoint: host and port are those that URL finds", () => {
  proveProperty(fc.property(numeric, (endpoint) => {
    const text = formatEndpoint(endpoint);
    const url = new URL(`lvsd://${text}`);
    const judged = parseEndpoint(text);
    assert.ok(!isNamed(judged));
    assert.equal(Number(url.port), judged.port);
    assert.ok(IpAddress.parse(url.hostname.replace(/^\[|\]$/g, "")).equals(judged.address));
  }));
});

Deno.test("endpoint: any text is read or refused, and what is read is an address or could be a name", () => {
  const text = fc.string({ unit: fc.constantFrom(..."0123456789abz:.[]*-_ %"), maxLength: 30 });
  proveProperty(
    fc.property(text, (written) => {
      let endpoint: EndpointText;
      try {
        endpoint = parseEndpoint(written);
      } catch (error) {
        assert.ok(error instanceof Error && "code" in error && error.code === "ENDPOINT_INVALID");
        return;
      }
      assert.ok(endpoint.port >= 0 && endpoint.port <= 65_535);
      const again = parseEndpoint(formatEndpoint(endpoint));
      assert.equal(formatEndpoint(again), formatEndpoint(endpoint), written);
      if (isNamed(endpoint)) assert.equal(isIP(endpoint.host), 0, written);
    }),
    5_000,
  );
});

const READ: readonly (readonly [text: string, read: string])[] = [
  ["127.0.0.1:8080", "127.0.0.1:8080"],
  ["[::1]:53", "[::1]:53"],
  ["[::ffff:10.0.0.1]:53", "10.0.0.1:53"],
  [":8080", "[::]:8080"],
  ["*:8080", "[::]:8080"],
  ["db-1.internal:5432", "db-1.internal:5432"],
  ["my_service:80", "my_service:80"],
  ["10.0.0.1:0", "10.0.0.1:0"],
];

for (const [text, read] of READ) {
  Deno.test(`endpoint: ${text} is ${read}`, () => {
    assert.equal(formatEndpoint(parseEndpoint(text)), read);
  });
}

Deno.test("endpoint: a default port serves where none is written, and nowhere else", () => {
  const read = (text: string) => formatEndpoint(parseEndpoint(text, { defaultPort: 99 }));
  assert.equal(read("10.0.0.1"), "10.0.0.1:99");
  assert.equal(read("::1"), "[::1]:99");
  assert.equal(read("[::1]"), "[::1]:99");
  assert.equal(read("name"), "name:99");
  assert.equal(read("10.0.0.1:1"), "10.0.0.1:1");
});

const REFUSED = [
  ...["", ":", "10.0.0.1", "::1", "[::1]", "10.0.0.1:65536", "10.0.0.1:-1", "10.0.0.1:", "10.0.0.1:8o8o"],
  ...["[10.0.0.1]:80", "[::1:80", "300.0.0.1:80", "1.2.3:80", "a b:80", "-a:80", `${"a".repeat(64)}:80`, "*"],
];

for (const text of REFUSED) {
  Deno.test(`endpoint: "${text}" is refused, and the message says what to write`, () => {
    assert.throws(() => parseEndpoint(text), {
      code: "ENDPOINT_INVALID",
      message: /write 127\.0\.0\.1:8080/,
    });
  });
}
