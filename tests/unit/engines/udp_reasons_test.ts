/** What refused datagrams and failed sends are called. */
import assert from "node:assert/strict";
import { DROP_REASON } from "../../../director/verdict.ts";
import { END_REASONS } from "../../../engines/engine.ts";
import { destinationFailure } from "../../../engines/portable/udp_reasons.ts";
import { refusalReason } from "../../../engines/refusals.ts";

Deno.test("udp reasons: each of the director's refusals has one, in the closed list", () => {
  for (const reason of Object.values(DROP_REASON)) assert.ok(END_REASONS.includes(refusalReason(reason)));
  assert.equal(refusalReason(DROP_REASON.noDestination), "no-destination");
  assert.equal(refusalReason(DROP_REASON.tableFull), "table-full");
  assert.equal(refusalReason(DROP_REASON.destinationRemoved), "destination-removed");
  assert.equal(refusalReason(DROP_REASON.noService), "service-removed");
  assert.equal(refusalReason(DROP_REASON.ruleDrop), "rule-drop");
  assert.equal(refusalReason(DROP_REASON.ruleReject), "rule-reject");
  assert.equal(refusalReason(DROP_REASON.memoryPressure), "memory-pressure");
  assert.equal(refusalReason(DROP_REASON.notNew), "not-new");
  assert.equal(refusalReason(DROP_REASON.persistenceEngine), "persistence-engine");
});

const FAILURES: readonly (readonly [code: string, reason: string | undefined])[] = [
  ["ECONNREFUSED", "connect-refused"],
  ["ECONNRESET", "connect-refused"], // Windows
  ["EHOSTUNREACH", "connect-failed"],
  ["ENETUNREACH", "connect-failed"],
  ["EPERM", "connect-failed"], // a firewall of this host
  ["EMSGSIZE", undefined],
  ["ENOBUFS", undefined],
  ["EMFILE", undefined],
];

for (const [code, reason] of FAILURES) {
  Deno.test(`udp reasons: a send that fails with ${code} ${reason ? `is ${reason}` : "blames no server"}`, () => {
    assert.equal(destinationFailure(code), reason);
  });
}

Deno.test("reasons: docs/metrics.md has each of the closed list", () => {
  const page = Deno.readTextFileSync(new URL("../../../docs/metrics.md", import.meta.url));
  const [, reasons = ""] = /## Reasons of drops and ends\n([^]*?)\n## /.exec(page) ?? [];
  const listed = [...reasons.matchAll(/`([a-z-]+)`/g)].map(([, word]) => word);
  for (const reason of END_REASONS) assert.ok(listed.includes(reason), reason);
});
