/** What the portable engine asks of the objects under node:net, and what it makes of runtimes that have others. */
import assert from "node:assert/strict";
import process from "node:process";
import { chooseTcpSockets } from "../../../engines/portable/choose_sockets.ts";
import { findHandles } from "../../../engines/portable/handle_binding.ts";
import { systemCode } from "../../../engines/portable/handle_socket.ts";
import { type TcpSocket, UNOWNED } from "../../../engines/portable/tcp_socket.ts";
import { IpAddress } from "../../../net/address.ts";
import { within } from "../../conformance/engines/waits.ts";

type Parts = Record<string, Record<string, unknown>>;

/** The bindings of this runtime, with changes. */
function runtime(change: (parts: Parts) => void): object {
  const binding: unknown = Reflect.get(process, "binding");
  assert.ok(typeof binding === "function");
  const parts: Parts = {};
  for (const name of ["tcp_wrap", "stream_wrap"]) parts[name] = { ...binding.call(process, name) };
  change(parts);
  return { binding: (name: string) => parts[name] };
}

Deno.test("this runtime's handles are as they are expected, so that the portable engine is on them", () => {
  assert.ok(findHandles(process) !== undefined);
  assert.equal(chooseTcpSockets().name, "handles");
  assert.ok(findHandles(runtime(() => {})) !== undefined, "unchanged parts");
});

Deno.test("a runtime whose handles are missing or different gets node:net, and nothing is thrown", () => {
  class Bare {}
  const others: readonly (readonly [string, object])[] = [
    ["no process.binding", {}],
    ["a binding that is refused", {
      binding() {
        throw new Error("no such module");
      },
    }],
    ["no module", { binding: () => undefined }],
    ["no TCP", runtime((it) => delete it.tcp_wrap?.TCP)],
    ["a TCP without methods", runtime((it) => Object.assign(it.tcp_wrap ?? {}, { TCP: Bare }))],
    ["no kinds", runtime((it) => delete it.tcp_wrap?.constants)],
    ["no request for writes", runtime((it) => delete it.stream_wrap?.WriteWrap)],
    [
      "a state of another type",
      runtime((it) => Object.assign(it.stream_wrap ?? {}, { streamBaseState: [] })),
    ],
    ["a state of another layout", runtime((it) => delete it.stream_wrap?.kLastWriteWasAsync)],
  ];
  for (const [what, of] of others) {
    assert.equal(findHandles(of), undefined, what);
    assert.equal(chooseTcpSockets(of).name, "node:net", what);
  }
});

Deno.test("error numbers of handles have the names that everything else goes by", () => {
  assert.equal(systemCode(-4_095), "EOF");
  assert.equal(systemCode(-999_999), "UNKNOWN");
  if (Deno.build.os !== "linux") return;
  assert.deepEqual([-104, -32, -111, -24, -98].map(systemCode), [
    "ECONNRESET",
    "EPIPE",
    "ECONNREFUSED",
    "EMFILE",
    "EADDRINUSE",
  ]);
});

Deno.test("what an owner throws is heard of as every error that nobody caught", async () => {
  const heard: string[] = [];
  const all = Promise.withResolvers<void>();
  const hear = (event: ErrorEvent) => {
    event.preventDefault();
    if (heard.push(event.error.message) === 3) all.resolve();
  };
  const fail = (what: string): never => {
    throw new Error(what);
  };
  const sockets = chooseTcpSockets();
  const at = { address: IpAddress.parse("127.0.0.1"), port: 0 };
  const accepted = Promise.withResolvers<TcpSocket>();
  const isConnected = Promise.withResolvers<void>();
  const refusing = await sockets.listen(at, 8, () => fail("accept"));
  const taking = await sockets.listen(at, 8, accepted.resolve);
  const reset = Promise.withResolvers<string>();
  globalThis.addEventListener("error", hear);
  try {
    const refused = sockets.connect("127.0.0.1", refusing.port, 4, {
      ...UNOWNED,
      connected: () => refused.readStart(),
      failed: reset.resolve,
    });
    const connected = sockets.connect("127.0.0.1", taking.port, 4, {
      ...UNOWNED,
      connected: () => {
        isConnected.resolve();
        fail("connected");
      },
      flushed: () => fail("flushed"),
    });
    const client = await accepted.promise;
    await isConnected.promise;
    client.owner = { ...UNOWNED, receive: () => true };
    client.readStart();
    const chunk = new Uint8Array(1 << 20);
    while (connected.write(chunk));
    await within("three errors are heard of", 5_000, all.promise);
    assert.equal(await reset.promise, "ECONNRESET", "a client that nobody owns does not stay");
    assert.deepEqual(heard.toSorted(), ["accept", "connected", "flushed"]);
    for (const it of [refused, connected, client]) it.close();
  } finally {
    globalThis.removeEventListener("error", hear);
    refusing.close();
    taking.close();
  }
});
