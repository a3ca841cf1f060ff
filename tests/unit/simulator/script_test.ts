import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError } from "../../../errors.ts";
import { IpAddress } from "../../../net/address.ts";
import { PROTOCOL } from "../../../net/flow.ts";
import type { Expectation, ScriptLine, Step } from "../../../simulator/script.ts";
import { readScript } from "../../../simulator/script_reader.ts";
import { formatLine } from "../../../simulator/script_writer.ts";

const ipv4 = fc.integer({ min: 1, max: 0xdfffffff }).map((word) => IpAddress.ipv4(word));
const ipv6 = fc.uint32Array({ minLength: 4, maxLength: 4 }).filter((it) => (it[0] ?? 0) > 0xffff)
  .map((words) => IpAddress.ipv6(words));
const port = fc.integer({ min: 0, max: 65_535 });
const endpoint = fc.record({ address: fc.oneof(ipv4, ipv6), port });
const count = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const key = fc.oneof(
  fc.record({ protocol: fc.constantFrom(PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp) }).chain((it) =>
    endpoint.map((at) => ({ ...it, ...at }))
  ),
  fc.record({
    mark: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    family: fc.constantFrom(4 as const, 6 as const),
  }),
);
const service = fc.oneof(
  key.map((it) => ({ key: it })),
  fc.constantFrom("web", "the web", 'a "b"', "x#y", ":8080").map((name) => ({ name })),
);
const duration = fc.integer({ min: 1, max: 1e7 });
const optional = <T>(name: string, it: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.option(it).map((value) => value === null ? {} : { [name]: value });
const merged = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<object> =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all));
const settings = merged(
  fc.record({
    scheduler: fc.constantFrom("rr", "wlc", "mh"),
    flags: fc.constantFrom(0, 8, 16, 56),
    onePacket: fc.boolean(),
  }),
  optional("persistenceEngine", fc.constant("sip")),
  optional(
    "persistence",
    fc.oneof(
      fc.record({ timeoutMs: duration, prefixLength: fc.integer({ min: 1, max: 128 }) }),
      fc.record({ timeoutMs: duration, netmask: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }),
    ),
  ),
);
const destination = merged(
  endpoint,
  fc.record({
    method: fc.constantFrom("nat", "dr", "tun"),
    weight: count,
    upperThreshold: count,
    lowerThreshold: count,
    allowMixedFamilies: fc.constant(true),
  }),
  optional("effectiveWeight", count),
);
const flow = merged(
  fc.record({
    client: endpoint,
    to: fc.oneof(endpoint, service.filter((it) => !("name" in it) || it.name !== ":8080")),
  }),
  optional("protocol", fc.constantFrom(PROTOCOL.tcp, PROTOCOL.udp)),
  optional("through", key.map((it) => ({ key: it }))),
  optional("mark", fc.integer({ min: 1, max: 2 ** 32 - 1 })),
);
const reference = fc.oneof(flow, fc.constantFrom("c1", "my call").map((label) => ({ label })));
const verb = (name: Step["verb"]) => fc.record({ verb: fc.constant(name) });
const direction = fc.constantFrom(0, 1);
const steps: { readonly [name in Step["verb"]]: fc.Arbitrary<object> } = {
  wait: merged(verb("wait"), fc.record({ ms: duration })),
  service: merged(verb("service"), fc.record({ key, settings })),
  change: merged(verb("change"), fc.record({ service, settings })),
  remove: merged(verb("remove"), fc.record({ service })),
  add: merged(verb("add"), fc.record({ service, destination })),
  edit: merged(verb("edit"), fc.record({ service, destination })),
  weight: merged(verb("weight"), fc.record({ service, destination: endpoint, weight: count })),
  delete: merged(verb("delete"), fc.record({ service, destination: endpoint })),
  order: merged(verb("order"), fc.record({ service, destinations: fc.array(endpoint) })),
  timeouts: merged(verb("timeouts"), fc.record({ timeouts: optional("udpMs", duration) })),
  sysctl: merged(verb("sysctl"), fc.record({ name: fc.constant("drop_entry"), value: count })),
  open: merged(verb("open"), fc.record({ flow }), optional("label", fc.constant("c1"))),
  close: merged(verb("close"), fc.record({ flow: reference })),
  reset: merged(verb("reset"), fc.record({ flow: reference, by: direction })),
  data: merged(verb("data"), fc.record({ flow: reference, bytes: count })),
  segment: merged(
    verb("segment"),
    fc.record({
      flow: reference,
      direction,
      flags: fc.integer({ min: 0, max: 0x1f }),
      bytes: count,
      packets: fc.constantFrom(0, 1),
    }),
  ),
  retry: merged(verb("retry"), fc.record({ flow: reference, failed: fc.array(endpoint) })),
  forget: merged(verb("forget"), fc.record({ flow: reference })),
  advance: verb("advance"),
};
const expectation: fc.Arbitrary<Expectation> = fc.oneof(
  endpoint.map((it) => ({ destination: it })),
  fc.constantFrom("refused", "no-destination").map((refusal) => ({ refusal })),
);
const line = merged(
  fc.oneof(...Object.values(steps)).map((step) => ({ step })),
  optional("atMs", fc.integer({ min: 0, max: 1e9 })),
);

Deno.test("script: what is written is read back the same, every verb", () => {
  fc.assert(
    fc.property(line, fc.option(expectation), (it, expected) => {
      const takesExpectation = (it as ScriptLine).step.verb !== "order";
      const written = { ...it, ...(expected !== null && takesExpectation ? { expected } : {}) } as ScriptLine;
      const text = formatLine(written);
      const [read] = readScript(`\n${text}   # why not\n`, "x.lvs").lines;
      assert.deepEqual(plain(read), plain({ ...written, line: 2 }), text);
    }),
    { numRuns: 2_000 },
  );
});

/** Addresses as text: two equal ones may differ in what they have cached. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, it) => it instanceof IpAddress ? `${it}` : it));
}

const WRONG: readonly (readonly [text: string, message: RegExp])[] = [
  ["opne 10.0.0.7:1 -> web", /^s\.lvs:1:1: "opne" is no step; .*did you mean "open"/],
  ["open 10.0.0.7:1 web", /^s\.lvs:1:17: -> is missing/],
  ["open 10.0.0.7 -> web", /^s\.lvs:1:6: "10\.0\.0\.7" is not an address with a port/],
  ["open", /^s\.lvs:1:5: client is missing/],
  ["wait 10", /^s\.lvs:1:6: .*10 has no unit; write 10s/],
  ["weight web 10.0.0.1:80 -1", /^s\.lvs:1:24: "-1" is no weight/],
  ["add web web-1:80", /^s\.lvs:1:9: "web-1:80" has a host name/],
  ["add web 10.0.0.1:80 uper=3", /^s\.lvs:1:21: "uper" is not known here; .*did you mean "upper"/],
  ["add web 10.0.0.1:80 upper=3 upper=4", /^s\.lvs:1:29: upper is written twice/],
  ["service web rr", /^s\.lvs:1:9: "web" is no new service; write tcp:10\.0\.0\.1:80/],
  ["service tcp:10.0.0.1:80 rr flags=sh", /^s\.lvs:1:28: "sh" is no flag/],
  ["@5 wait 1s", /^s\.lvs:1:1: "@5" is no time since the start; write @1\.5s or @1500ms/],
  ["@5s wait 1s\n@4s wait 1s", /^s\.lvs:2:1: time goes back: line 1 is at 5 s/],
  ['close "c1', /^s\.lvs:1:7: this quote has no end/],
  ["segment c1 input X", /^s\.lvs:1:18: "X" are no TCP flags/],
  ["segment c1 inward S", /^s\.lvs:1:12: "inward" is no direction/],
  ["advance now", /^s\.lvs:1:9: "now" is one word too many/],
  ["clock broken", /^s\.lvs:1:7: "broken" is no clock/],
];

for (const [text, message] of WRONG) {
  Deno.test(`script: a mistake with its place: ${JSON.stringify(text)}`, () => {
    assert.throws(() => readScript(text, "s.lvs"), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("script: all mistakes are told, not only the first", () => {
  assert.throws(() => readScript("x\nwait 1s\ny\n", "s.lvs"), /s\.lvs:1:1: .*\ns\.lvs:3:1: /);
});
