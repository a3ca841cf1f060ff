import assert from "node:assert/strict";
import { SystemError } from "../../../errors.ts";
import type { Binding } from "../../../engines/engine.ts";
import { bindError, errorCode } from "../../../engines/portable/bind_error.ts";
import { applyProxyHeader } from "../../../engines/portable/proxied_addresses.ts";
import { connectFailure, isReset, ownShortage } from "../../../engines/portable/tcp_failures.ts";
import { IpAddress } from "../../../net/address.ts";
import { Flow, PROTOCOL } from "../../../net/flow.ts";

function failure(code: string): Error {
  return Object.assign(new Error(`listen ${code}`), { code });
}

function binding(host: string, port: number, protocol: "tcp" | "udp" = "tcp"): Binding {
  return {
    service: 0,
    name: "web",
    protocol,
    listen: { address: IpAddress.parse(host), port },
    options: {
      connectTimeoutMs: 1,
      retries: 0,
      sendProxy: "none",
      acceptProxyFrom: [],
      onePacket: false,
      maxSessions: 1,
    },
  };
}

Deno.test("bind errors name the service, the address and what to do", () => {
  const cases: readonly (readonly [string, Binding, string, RegExp])[] = [
    ["EADDRINUSE", binding("0.0.0.0", 80), "ADDRESS_IN_USE", /"web": tcp 0\.0\.0\.0:80 is taken.*ss -ltnp/],
    ["EADDRINUSE", binding("::", 53, "udp"), "ADDRESS_IN_USE", /udp \[::\]:53 is taken.*ss -lunp/],
    ["EADDRNOTAVAIL", binding("192.0.2.1", 80), "ADDRESS_NOT_LOCAL", /not an address of this host; add it/],
    ["EACCES", binding("0.0.0.0", 80), "PERMISSION_DENIED", /below 1024.*setcap.*from 1024/],
    ["EACCES", binding("0.0.0.0", 8_080), "PERMISSION_DENIED", /--allow-net/],
    ["EMFILE", binding("0.0.0.0", 80), "DESCRIPTORS_EXHAUSTED", /ulimit -n/],
    ["EAFNOSUPPORT", binding("::1", 80), "FAMILY_UNSUPPORTED", /no IPv6; write an IPv4 address/],
    ["EWHATEVER", binding("0.0.0.0", 80), "BIND_FAILED", /cannot be opened: EWHATEVER/],
  ];
  for (const [code, of, name, message] of cases) {
    const error = bindError(of, failure(code));
    assert.ok(error instanceof SystemError);
    assert.equal(error.code, name);
    assert.match(error.message, message);
    assert.equal(error.exitCode, 3);
  }
});

Deno.test("errors of both runtimes' styles have a code", () => {
  assert.equal(errorCode(failure("EPIPE")), "EPIPE");
  const denoStyle = Object.assign(new Error("in use"), { name: "AddrInUse" });
  assert.equal(errorCode(denoStyle), "EADDRINUSE");
  assert.equal(errorCode("text"), "UNKNOWN");
});

Deno.test("a failed connect is blamed on the destination, unless this host was short of something", () => {
  assert.equal(connectFailure("ECONNREFUSED"), "connect-refused");
  assert.equal(connectFailure("ETIMEDOUT"), "connect-timeout");
  assert.equal(connectFailure("EHOSTUNREACH"), "connect-failed");
  assert.match(ownShortage("EMFILE") ?? "", /ulimit -n/);
  assert.match(ownShortage("EADDRNOTAVAIL") ?? "", /ip_local_port_range/);
  assert.equal(ownShortage("ECONNREFUSED"), undefined);
  assert.ok(isReset("ECONNRESET") && isReset("EPIPE") && !isReset("EMFILE"));
});

Deno.test("a PROXY header's client takes the peer's place; of another family, its destination comes along", () => {
  const at = (host: string, port: number) => ({ address: IpAddress.parse(host), port });
  const header = { version: 2, local: false, transport: "tcp", consumedBytes: 0 } as const;
  const flow = () => Flow.between(PROTOCOL.tcp, at("10.0.0.1", 1), at("10.0.0.2", 80));

  const same = flow();
  applyProxyHeader(same, { ...header, source: at("192.0.2.7", 9), destination: at("192.0.2.1", 443) });
  assert.equal(`${same}`, "tcp 192.0.2.7:9 -> 10.0.0.2:80");

  const other = flow();
  applyProxyHeader(other, { ...header, source: at("2001:db8::7", 9), destination: at("2001:db8::1", 443) });
  assert.equal(`${other}`, "tcp [2001:db8::7]:9 -> [2001:db8::1]:443");

  const none = flow();
  applyProxyHeader(none, { ...header, local: true, transport: "unknown" });
  assert.equal(`${none}`, "tcp 10.0.0.1:1 -> 10.0.0.2:80");
});
