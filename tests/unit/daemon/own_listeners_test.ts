import assert from "node:assert/strict";
import { OwnListeners } from "../../../daemon/own_listeners.ts";
import { IpAddress } from "../../../net/address.ts";
import type { Endpoint } from "../../../net/endpoint.ts";

const at = (address: string, port: number): Endpoint => ({ address: IpAddress.parse(address), port });
const listeners = () => new OwnListeners(() => [IpAddress.parse("10.0.0.5"), IpAddress.parse("fd00::5")]);

Deno.test("own listeners: the very address is a loop, its neighbours are not", () => {
  const own = listeners();
  own.set("web", "tcp", [at("127.0.0.1", 8080)]);
  assert.ok(own.includes("tcp", at("127.0.0.1", 8080)));
  assert.ok(!own.includes("tcp", at("127.0.0.1", 8081)));
  assert.ok(!own.includes("tcp", at("127.0.0.2", 8080)));
  assert.ok(!own.includes("udp", at("127.0.0.1", 8080)));
});

Deno.test("own listeners: a listener on every address loops with each address of this host", () => {
  const own = listeners();
  own.set("web", "tcp", [at("::", 8080)]);
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "10.0.0.5", "fd00::5", "0.0.0.0"]) {
    assert.ok(own.includes("tcp", at(address, 8080)), address);
  }
  assert.ok(!own.includes("tcp", at("10.0.0.6", 8080)));
});

Deno.test("own listeners: a closed one is forgotten", () => {
  const own = listeners();
  own.set("web", "tcp", [at("127.0.0.1", 8080)]);
  own.set("web", "tcp", []);
  assert.ok(!own.includes("tcp", at("127.0.0.1", 8080)));
});
