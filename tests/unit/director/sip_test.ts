/** Call-IDs as they come, and as they should not. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { callId } from "../../../director/sip.ts";

function found(text: string): string | undefined {
  const value = callId(new TextEncoder().encode(text));
  return value === undefined ? undefined : new TextDecoder().decode(value);
}

const REQUEST = "INVITE sip:bob@example.net SIP/2.0\r\n";

Deno.test("sip: the header in all its spellings", () => {
  const cases: [string, string | undefined][] = [
    ["Call-ID: a@b\r\n", "a@b"],
    ["CALL-id:a@b\r\n", "a@b"],
    ["call-id \t: \t a@b\r\n", "a@b"],
    ["i: a@b\n", "a@b"],
    ["I: a@b\r", "a@b"],
    ["Call-ID:\r\n a@b\r\n", "a@b"],
    ["Via: x\r\nCall-ID: a\r\n", "a"],
    ["Call-ID: a b\r\n", undefined],
    ["Call-ID: first\r\nCall-ID: second\r\n", "first"],
    ["Call-ID: f81d4fae-7dec-11d0~a%+'`!\r\n", "f81d4fae-7dec-11d0~a%+'`!"],
    // Empty domain: the next one is tried.
    ["Call-ID: a@\r\nCall-ID: b\r\n", "b"],
    ["Identity: a@b\r\n", undefined],
    ["Subject: x\r\n Call-ID: folded\r\n", undefined],
    ["X-Call-ID: a@b\r\n", undefined],
    ["Call-ID\r\n", undefined],
    ["Call-ID:", undefined],
    ["Call-ID: \r\n", undefined],
    ["Call-ID: cut-off", undefined],
    [`Call-ID: ${"x".repeat(255)}\r\n`, "x".repeat(255)],
    [`Call-ID: ${"x".repeat(256)}\r\n`, undefined],
  ];
  for (const [header, expected] of cases) assert.equal(found(REQUEST + header), expected, header);
});

Deno.test("sip: the request line is no header", () => {
  assert.equal(found("Call-ID: a@b\r\n\r\n"), undefined);
  assert.equal(found("\r\nCall-ID: a@b\r\n"), "a@b");
});

Deno.test("sip: whatever arrives, it ends, and what it finds is in there", () => {
  const piece = fc.constantFrom("Call-ID", "i", ":", " ", "\r\n", "\n", "\r", "\t", "a@b", "@", "x", "\0");
  fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
    const text = pieces.join("");
    const value = found(text);
    if (value !== undefined) assert.ok(value.length > 0 && text.includes(value) && !/[\s]/.test(value));
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void callId(bytes)));
});
