/** PROXY headers: written to real servers, accepted from listed clients and nobody else. */
import assert from "node:assert/strict";
import { ManualClock } from "../../../clock.ts";
import { LIMITS } from "../../../limits.ts";
import { Prefix } from "../../../net/prefix.ts";
import { ProxyDecoder } from "../../../net/proxy_decoder.ts";
import { encodeProxyLocal, encodeProxyV1, encodeProxyV2 } from "../../../net/proxy_protocol.ts";
import { endpointOf } from "./heard_events.ts";
import { latin1 } from "./tcp_peers.ts";
import { openSetting, type TcpFamilyMember, testOf } from "./tcp_setting.ts";
import { eventually } from "./waits.ts";

const LOOPBACK = [Prefix.parse("127.0.0.0/8")];
const BYTES = new TextEncoder();

export function proxyTests(member: TcpFamilyMember): void {
  const test = testOf(member);

  for (const version of ["v1", "v2"] as const) {
    test(`a PROXY ${version} header tells the server who the client is, before its first byte`, async () => {
      await using setting = await openSetting(member, { options: { sendProxy: version } });
      const { server } = await setting.addServer();
      const { client, served } = await setting.pair(server);
      client.end("payload");
      assert.equal(await served.ended, "fin");
      const progress = new ProxyDecoder().push(Uint8Array.from(served.text, (it) => it.charCodeAt(0)));
      assert.ok(progress.state === "header");
      const { source, destination } = progress.header;
      assert.equal(`${source?.address}:${source?.port}`, client.name);
      assert.equal(`${destination?.address}:${destination?.port}`, `127.0.0.1:${setting.open.bound.port}`);
      assert.equal(latin1(progress.rest), "payload");
      served.end();
      await setting.engine.whenIdle();
      assert.equal(setting.events.endings[0]?.bytesIn, 7, "the header is not payload");
    });
  }

  const source = endpointOf("192.0.2.7:56324");
  const virtual = endpointOf("192.0.2.1:443");
  const headers: readonly (readonly [string, Uint8Array, string])[] = [
    ["v1", encodeProxyV1(source, virtual), "192.0.2.7:56324"],
    ["v2", encodeProxyV2("tcp", source, virtual), "192.0.2.7:56324"],
    [
      "v2 of another family",
      encodeProxyV2("tcp", endpointOf("[2001:db8::7]:9"), endpointOf("[2001:db8::1]:443")),
      "[2001:db8::7]:9",
    ],
    ["v1 UNKNOWN", BYTES.encode("PROXY UNKNOWN\r\n"), ""],
    ["v2 LOCAL", encodeProxyLocal(), ""],
  ];
  for (const [what, header, client] of headers) {
    for (const pieces of [1, header.length]) {
      const how = pieces === 1 ? "with the first bytes" : "byte by byte";
      test(`an accepted PROXY header (${what}, ${how}) names the client`, async () => {
        await using setting = await openSetting(member, { options: { acceptProxyFrom: LOOPBACK } });
        const { server } = await setting.addServer();
        const peer = await setting.connect();
        for (let i = 0; pieces > 1 && i < pieces; i++) {
          peer.send(latin1(header.subarray(i, i + 1)));
          await new Promise((resolve) => setImmediate(resolve));
        }
        peer.end((pieces === 1 ? latin1(header) : "") + "payload");
        const served = await server.next();
        assert.equal(await served.ended, "fin");
        assert.equal(served.text, "payload");
        served.end();
        await setting.engine.whenIdle();
        assert.equal(setting.events.endings[0]?.client, client === "" ? peer.name : client);
      });
    }
  }

  const broken: readonly (readonly [string, string])[] = [
    ["no header at all", "GET / HTTP/1.1\r\n\r\n"],
    ["a broken line", "PROXY TCP4 192.0.2.7 nonsense 1 2\r\n"],
    ["an end in the middle", "PROXY TCP4 192."],
  ];
  for (const [what, text] of broken) {
    test(`a listed client with ${what} is reset, and no server sees it`, async () => {
      await using setting = await openSetting(member, { options: { acceptProxyFrom: LOOPBACK } });
      const { server } = await setting.addServer();
      const client = await setting.connect();
      client.end(text);
      assert.equal(await client.ended, "reset");
      await setting.events.until("one ended", () => setting.events.endings.length > 0);
      assert.equal(setting.events.endings[0]?.reason, "proxy-header");
      assert.equal(server.acceptedCount, 0);
      assert.equal(setting.director.connectionCount, 0);
    });
  }

  test("a listed client that keeps its header to itself is reset after a while", async () => {
    const clock = new ManualClock();
    await using setting = await openSetting(member, { clock, options: { acceptProxyFrom: LOOPBACK } });
    await setting.addServer();
    const client = await setting.connect();
    await eventually("it is accepted", () => setting.engine.liveConnections() === 1);
    clock.advance(LIMITS.proxyHeaderWaitMs - 1);
    assert.equal(setting.engine.liveConnections(), 1);
    clock.advance(1);
    assert.equal(await client.ended, "reset");
    await setting.events.until("one ended", () => setting.events.endings.length > 0);
    assert.equal(setting.events.endings[0]?.reason, "proxy-header");
  });

  test("the header of a client that is not listed is payload like any other", async () => {
    const acceptProxyFrom = [Prefix.parse("192.0.2.0/24")];
    await using setting = await openSetting(member, { options: { acceptProxyFrom } });
    const { server } = await setting.addServer();
    const { client, served } = await setting.pair(server);
    const line = latin1(encodeProxyV1(source, virtual));
    client.end(line);
    assert.equal(await served.ended, "fin");
    assert.equal(served.text, line);
  });
}
