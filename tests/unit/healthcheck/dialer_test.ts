/** What the system dialer promises beyond the checks that use it. */
import assert from "node:assert/strict";
import { SystemClock } from "../../../clock.ts";
import { CheckError, type Dialer } from "../../../healthcheck/check.ts";
import { openDatagrams } from "../../../healthcheck/datagrams.ts";
import { SystemDialer } from "../../../healthcheck/dialer.ts";
import { checkErrorOf } from "../../../healthcheck/failure_reason.ts";
import { IpAddress } from "../../../net/address.ts";
import {
  answeringFromElsewhere,
  closedUdpPort,
  listenUdp,
} from "../../conformance/healthcheck/udp_servers.ts";

const PING = new TextEncoder().encode("ping");

/** Both ways to send datagrams: connected by FFI where there is one, and Deno's own. */
const WAYS: Readonly<Record<string, (dialer: SystemDialer) => Dialer["connectUdp"]>> = {
  "the system's way": (dialer) => (target, signal) => dialer.connectUdp(target, signal),
  "without FFI": () => openDatagrams,
};

for (const [name, way] of Object.entries(WAYS)) {
  Deno.test(`datagrams, ${name}: a stranger's answer is not heard`, async () => {
    using dialer = new SystemDialer(new SystemClock());
    await using server = await answeringFromElsewhere(4, PING);
    const controller = new AbortController();
    using datagrams = await way(dialer)(server.endpoint, controller.signal);
    const answer = datagrams.receive().then(() => "heard", (error) => error.reason);
    await datagrams.send(PING);
    // Long enough for the loopback: an honest answer takes well under a millisecond.
    setTimeout(() => controller.abort(), 100);
    assert.equal(await answer, "timeout");
  });

  Deno.test(`datagrams, ${name}: all sizes up to the largest arrive whole, there and back`, async () => {
    using dialer = new SystemDialer(new SystemClock());
    await using server = await listenUdp(4, (answer, from) => answer(new Uint8Array(from.size).fill(7)));
    using datagrams = await way(dialer)(server.endpoint, new AbortController().signal);
    for (const size of [0, 1, 1_472, 1_473, 9_000, 65_507]) {
      await datagrams.send(new Uint8Array(size));
      assert.deepEqual([...await datagrams.receive()], Array(size).fill(7));
    }
    await assert.rejects(() => datagrams.send(new Uint8Array(65_508)), CheckError);
  });
}

Deno.test({
  name: "datagrams: a connected socket hears that the port is closed, again and again",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    using dialer = new SystemDialer(new SystemClock());
    for (const family of [4, 4, 4] as const) {
      const { endpoint } = await closedUdpPort(family);
      using datagrams = await dialer.connectUdp(endpoint, new AbortController().signal);
      assert.ok(datagrams.reportsClosedPorts);
      await datagrams.send(PING);
      await assert.rejects(() => datagrams.receive(), (error: unknown) => {
        return error instanceof CheckError && error.reason === "refused";
      });
    }
  },
});

Deno.test("dialer: disposing of it twice is harmless, and it works again afterwards", async () => {
  const dialer = new SystemDialer(new SystemClock());
  for (let i = 0; i < 2; i++) {
    const target = { address: IpAddress.parse("127.0.0.1"), port: 9 };
    (await dialer.connectUdp(target, new AbortController().signal))[Symbol.dispose]();
    dialer[Symbol.dispose]();
    dialer[Symbol.dispose]();
  }
});

Deno.test("failure reasons: errors of the system by their code, everything else as the caller says", () => {
  const coded = (code: unknown) => checkErrorOf(Object.assign(new Error("x"), { code }), "tls").reason;
  const reasons: Record<string, string> = {
    ECONNREFUSED: "refused",
    EHOSTUNREACH: "unreachable",
    ENETUNREACH: "unreachable",
    ETIMEDOUT: "timeout",
    ECONNRESET: "reset",
    EPIPE: "reset",
    EACCES: "permission",
    EPERM: "permission",
    EMFILE: "resources",
    ENFILE: "resources",
  };
  for (const [code, reason] of Object.entries(reasons)) assert.equal(coded(code), reason, code);
  for (const code of ["DEPTH_ZERO_SELF_SIGNED_CERT", 42, undefined]) assert.equal(coded(code), "tls");
  for (const thrown of [null, "text", 7]) assert.equal(checkErrorOf(thrown, "tls").reason, "tls");
  assert.equal(checkErrorOf(new Deno.errors.NotCapable("run"), "tls").reason, "permission");
  const own = new CheckError("body", "x");
  assert.equal(checkErrorOf(own, "tls"), own);
});

Deno.test({
  name: "dialer: out of descriptors is told apart from a dead server",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const program = new URL("./out_of_descriptors.ts", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-c", 'ulimit -n 128; exec "$0" run -A --no-check "$1"', Deno.execPath(), program],
      // A runtime without descriptors may stand still; that is a failure with a name, not a gate that hangs.
      signal: AbortSignal.timeout(20_000),
    }).output();
    assert.equal(new TextDecoder().decode(stdout), "resources resources", new TextDecoder().decode(stderr));
  },
});
