import assert from "node:assert/strict";
import { PROTOCOL } from "../../../net/flow.ts";
import { NO_DESTINATION } from "../../../schedulers/scheduler.ts";
import { sh, SH_FALLBACK, SH_PORT } from "../../../schedulers/sh.ts";
import { Service } from "../../conformance/schedulers/service.ts";

/** List C3 B0 A2: buckets C C C B A A, again and again. */
function listCBA(flags: number): { service: Service; A: number; B: number; C: number } {
  const service = new Service(sh, { flags });
  const [A = -1, B = -1, C = -1] = service.addAll([
    { address: "10.0.0.1", weight: 2 },
    { address: "10.0.0.2", weight: 0 },
    { address: "10.0.0.3", weight: 3 },
  ]);
  return { service, A, B, C };
}

Deno.test("sh: weights deal out the buckets, and a server of weight 0 keeps one a round", () => {
  const { service, A, B, C } = listCBA(0);
  const owners = [...service.cells];
  assert.deepEqual(owners.slice(0, 8), [C, C, C, B, A, A, C, C]);
  const count = (handle: number) => owners.filter((owner) => owner === handle).length;
  assert.deepEqual([count(C), count(B), count(A)], [129, 43, 84]);
});

Deno.test("sh: the worked clients meet their buckets, and probes start at twice the hash", () => {
  for (const flags of [0, SH_FALLBACK]) {
    const { service, A, C } = listCBA(flags);
    assert.equal(service.pick("192.0.2.1"), C);
    assert.equal(service.pick("192.0.2.2"), A);
    assert.equal(service.pick("192.0.2.3"), C);
    assert.equal(service.pick("203.0.113.7"), A);
    service.server(A).overloaded = true;
    assert.equal(service.pick("203.0.113.7"), flags === 0 ? NO_DESTINATION : C);
    service.server(A).overloaded = false;
    service.server(C).overloaded = true;
    assert.equal(service.pick("192.0.2.1"), flags === 0 ? NO_DESTINATION : A);
    // Probes 236 C, 237 B, 238 A
    assert.equal(service.pick("192.0.2.3"), flags === 0 ? NO_DESTINATION : A);
  }
});

Deno.test("sh: a client in a quiesced server's bucket is refused without the fallback", () => {
  const { service, B } = listCBA(0);
  const refused = Array.from({ length: 256 }, (_, i) => service.pick(`198.51.100.${i}`))
    .filter((chosen) => chosen === NO_DESTINATION);
  assert.ok(refused.length > 20, `${refused.length} of 256 refused; B owns a sixth`);
  service.setWeight(B, 1);
  assert.ok(Array.from({ length: 256 }, (_, i) => service.pick(`198.51.100.${i}`)).includes(B));
});

Deno.test("sh-port: the client's port moves the bucket, for protocols that have one", () => {
  const service = new Service(sh, { flags: SH_PORT });
  // 256 servers of weight 1: the head of the list owns bucket 0, the next bucket 1, ...
  service.addAll(Array.from({ length: 256 }, (_, i) => ({ address: `10.0.${i}.1` })));
  const bucketOf = (client: string, port: number) => service.handles.indexOf(service.pick(client, port));
  assert.equal(bucketOf("192.0.2.1", 40_000), 214);
  assert.equal(bucketOf("192.0.2.2", 40_000), 56);
  assert.equal(bucketOf("203.0.113.7", 40_000), 32);
  service.question.flow.protocol = PROTOCOL.ip;
  assert.equal(bucketOf("203.0.113.7", 40_000), 124, "no port is known");
  service.question.flags = 0;
  service.question.flow.protocol = PROTOCOL.tcp;
  assert.equal(bucketOf("203.0.113.7", 40_000), 124, "the port does not count");
});

Deno.test("sh: an IPv6 client is the XOR of its words", () => {
  const service = new Service(sh);
  service.addAll(Array.from({ length: 256 }, (_, i) => ({ address: `10.0.${i}.1` })));
  const [first, ...alike] = ["2001:db8::1", "::2001:db8:0:1", "2001:db8::1:0:0"].map((it) =>
    service.pick(it)
  );
  assert.deepEqual(alike, [first, first]);
  assert.notEqual(service.pick("2001:db8::1:0"), first);
});
