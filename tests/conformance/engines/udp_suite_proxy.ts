/** PROXY headers in front of datagrams. */
import assert from "node:assert/strict";
import { ValueError } from "../../../errors.ts";
import { LIMITS } from "../../../limits.ts";
import { formatEndpoint } from "../../../net/endpoint.ts";
import { ProxyDecoder } from "../../../net/proxy_decoder.ts";
import { Prefix } from "../../../net/prefix.ts";
import { bytesOf, UdpPeer } from "./udp_peers.ts";
import { openSetting, PLAIN, testOf, type UdpFamilyMember } from "./udp_setting.ts";

export function proxyTests(member: UdpFamilyMember): void {
  const test = testOf(member);

  for (
    const [what, listen, host] of [["IPv4", "127.0.0.1:0", "127.0.0.1"], ["IPv6", "[::1]:0", "::1"]] as const
  ) {
    test(`sendProxy v2 over ${what}: every datagram names its client, and is whole behind that`, async () => {
      await using setting = await openSetting(member, { listen, options: { sendProxy: "v2" } });
      const { server } = setting.addServer();
      await using client = new UdpPeer(host);
      const sizes = [3, 0, 1_400];
      for (const size of sizes) await client.ask(bytesOf(size), setting.to);
      assert.equal(server.seen.length, sizes.length);
      for (const [i, { bytes }] of server.seen.entries()) {
        const progress = new ProxyDecoder().push(bytes);
        assert.ok(progress.state === "header", progress.state);
        const { transport, source, destination } = progress.header;
        assert.equal(transport, "udp");
        assert.ok(source !== undefined && destination !== undefined);
        assert.deepEqual([`${source.address}`, source.port], [host, client.address.port]);
        assert.equal(formatEndpoint(destination), formatEndpoint(setting.open.bound));
        assert.deepEqual(progress.rest, bytesOf(sizes[i] ?? 0));
      }
      await setting.engine.resetAll(0, "drained");
      assert.equal(setting.events.endings[0]?.bytesIn, 1_403, "headers are not payload");
    });
  }

  test("sendProxy v2: a datagram that leaves no room for the header is dropped and counted", async () => {
    await using setting = await openSetting(member, { options: { sendProxy: "v2" } });
    const { server } = setting.addServer();
    await using client = new UdpPeer();
    await client.send(bytesOf(LIMITS.udpPayloadBytes), setting.to);
    await setting.events.until("the drop", () => setting.events.drops.includes("error"));
    assert.deepEqual(setting.events.failures, [], "the server is not to blame");
    await client.ask(bytesOf(LIMITS.udpPayloadBytes - 28 - 28), setting.to);
    assert.equal(server.seen.length, 1);
  });

  test("what UDP has no meaning for is refused, at the start and later", async () => {
    await using setting = await openSetting(member);
    const wrong = [
      { ...PLAIN, sendProxy: "v1" },
      { ...PLAIN, acceptProxyFrom: [Prefix.parse("10.0.0.0/8")] },
    ] as const;
    for (const options of wrong) {
      const isRefusal = (error: unknown) =>
        error instanceof ValueError && error.code === "OPTION_NOT_FOR_UDP";
      assert.throws(() => setting.open.update(options), isRefusal);
      await assert.rejects(setting.engine.open({ ...setting.open.binding, options }), isRefusal);
    }
  });
}
