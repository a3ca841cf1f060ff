/** Flows. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { IpAddress } from "../../../net/address.ts";
import type { Endpoint } from "../../../net/endpoint.ts";
import { Flow, NO_ENTRY, NO_SERVICE, PROTOCOL } from "../../../net/flow.ts";
import { proveProperty } from "./property.ts";

const endpointOf = (text: fc.Arbitrary<string>): fc.Arbitrary<Endpoint> =>
  fc.tuple(text, fc.nat(65_535)).map(([address, port]) => ({ address: IpAddress.parse(address), port }));

Deno.test("flow: between two endpoints it has their words, ports and family", () => {
  const pair = fc.oneof(
    fc.tuple(endpointOf(fc.ipV4()), endpointOf(fc.ipV4())),
    fc.tuple(endpointOf(fc.ipV6()), endpointOf(fc.ipV6())),
  );
  proveProperty(
    fc.property(pair, fc.constantFrom(...Object.values(PROTOCOL)), ([client, virtual], protocol) => {
      const flow = Flow.between(protocol, client, virtual);
      assert.equal(flow.protocol, protocol);
      assert.equal(flow.family, client.address.family);
      assert.deepEqual([...flow.client], [...client.address.words]);
      assert.deepEqual([...flow.virtual], [...virtual.address.words]);
      assert.deepEqual([flow.clientPort, flow.virtualPort], [client.port, virtual.port]);
    }),
  );
});

Deno.test("flow: it shares nothing with the endpoints that it was made from", () => {
  const client = { address: IpAddress.parse("192.0.2.7"), port: 40_000 };
  const flow = Flow.between(PROTOCOL.udp, client, { address: IpAddress.parse("192.0.2.1"), port: 53 });
  flow.client[0] = 0;
  assert.equal(`${client.address}`, "192.0.2.7");
});

Deno.test("flow: a new one stands for one packet, of an unknown service and entry", () => {
  const { packets, service, entry, mark } = new Flow();
  assert.deepEqual([packets, service, entry, mark], [1, NO_SERVICE, NO_ENTRY, 0]);
});

Deno.test("flow: its text names protocol and both sides", () => {
  const at = (address: string, port: number) => ({ address: IpAddress.parse(address), port });
  const udp = Flow.between(PROTOCOL.udp, at("192.0.2.7", 40_000), at("192.0.2.1", 53));
  assert.equal(`${udp}`, "udp 192.0.2.7:40000 -> 192.0.2.1:53");
  const tcp = Flow.between(PROTOCOL.tcp, at("2001:db8::7", 1), at("2001:db8::1", 443));
  assert.equal(`${tcp}`, "tcp [2001:db8::7]:1 -> [2001:db8::1]:443");
  const other = Flow.between(47, at("192.0.2.7", 0), at("192.0.2.1", 0));
  assert.equal(`${other}`, "47 192.0.2.7:0 -> 192.0.2.1:0");
});
